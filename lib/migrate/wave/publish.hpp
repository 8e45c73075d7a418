// The generation that the fences say, published on every node.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/migrate/wave/plan.hpp"
#include "shardway/base/result.hpp"
#include "shardway/migrate/nodes/node_sessions.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::wave {

/// Reads the fences of a group on every node.
result<group_fences> read_fences(node_sessions const&, std::string const& group);

/// Publishes the generation that the fences say, if it differs from `now`. `opened` gives the opening
/// positions of the shards' and the source's ranges just opened.
struct opening {
  std::optional<shard_id> node{};
  lsn position{};
};
result<generation> publish_authority(node_sessions const&, generation const& now, std::string const& group,
                                     std::vector<opening> const& opened, std::int64_t token);

}  // namespace migrate::wave
}  // namespace v0
}  // namespace shardway
