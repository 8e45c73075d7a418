// Makes the router's plain data from a generation.
#pragma once

#include "shardway/manifest/generation.hpp"
#include "shardway/route/router.hpp"

namespace shardway {
inline namespace v0 {

/// The snapshot that routes by a generation.
///
/// Errors: `corrupt_data` (a table without its group, a shard key column that is not among the columns),
/// `invalid_argument` (a shard key column of a type that cannot be a key).
/// Cost: 8 KiB for each group.
result<std::shared_ptr<routing_snapshot const>> routes_of(generation const&);

}  // namespace v0
}  // namespace shardway
