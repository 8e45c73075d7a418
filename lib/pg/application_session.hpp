// Sessions that run an application's statements too.
#pragma once

#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {

/// As `connect`, but what only an application's statements need stays as role and database have set it:
/// timeouts, synchronous_commit, row_security, array_nulls, lc_monetary and what else their results or their
/// end depend on. Errors and cost: those of `connect`.
result<std::unique_ptr<session>> connect_for_application(connect_options const&);

}  // namespace v0
}  // namespace shardway
