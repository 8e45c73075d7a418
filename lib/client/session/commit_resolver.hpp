// What became of a COMMIT that was not answered.
#pragma once

#include "lib/authority/host.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {

/// With an xid: `resolve_commit`. Without one (nothing had arrived when the connection broke): the old
/// backend is ended, and then the outbox row decides, if there would be one; else it stays in doubt. Cost: a
/// connection and two to three round trips, more while it waits.
commit_outcome resolve_question(connect_options const& node, commit_question const& question,
                                steady_time deadline);

}  // namespace v0
}  // namespace shardway
