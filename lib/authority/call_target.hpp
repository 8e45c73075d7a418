// Where a read or write goes under the current generation.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shardway/manifest/generation.hpp"
#include "shardway/route/placement.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
/// Where one call goes now: the table, its slot and the node that has authority for it. Reads and writes use
/// it. Lifetime: the pointers are valid while `current` is held.
struct call_target {
  std::shared_ptr<generation const> current;
  table_state const* table{};
  group_state const* group{};
  slot_id slot{};
  node_index node{};
  std::string node_name;
  shardway::epoch epoch{};
  shard_id placed{};
  std::vector<text_value> shard_key;  ///< the key's columns as text
};

}  // namespace v0
}  // namespace shardway
