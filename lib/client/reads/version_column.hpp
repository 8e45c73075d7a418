// A shard's tables have a column of the library's. `SELECT *` returns it, and the application must not
// see it.
#pragma once

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// The rows without the version column. Cost: a scan of the column names; a copy only if the column is
/// there.
rows without_version_column(rows all);

}  // namespace v0
}  // namespace shardway
