// The engine's sessions, one a node.
#pragma once

#include <vector>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// The engine's sessions, one a node. Lifetime: the sessions outlive the call.
struct node_sessions {
  session* source{};             ///< holds the catalog
  std::vector<session*> shards;  ///< by shard_id
};

}  // namespace v0
}  // namespace shardway
