// From a shard key to its slot: the unit that moves.
#pragma once

#include "shardway/base/ids.hpp"
#include "shardway/route/hash.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {

/// The low 12 bits of the key's hash. `shardway.slot_of(...)` in SQL gives the same number.
/// Preconditions: the key is not empty. Cost: some nanoseconds; no allocation.
inline slot_id slot_of(shard_key const& key) noexcept {
  return slot_id{static_cast<std::uint16_t>(hash_of(key.bytes()) & (limits::slot_count - 1))};
}

}  // namespace v0
}  // namespace shardway
