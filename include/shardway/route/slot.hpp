// From a shard key to its slot. A slot is the unit that moves.
#pragma once

#include "shardway/base/ids.hpp"
#include "shardway/route/hash.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {

/// The low 12 bits of the key's hash. `shardway.slot_of(...)` in SQL gives the same number.
/// Preconditions: the key is not empty. Cost: some nanoseconds; no allocation.
inline slot_id slot_of(shard_key const& key) noexcept {
  auto const bytes = key.bytes();
  // 8 bytes is the length of an integer. With a length that the compiler knows, hashing takes half the time.
  auto const hash = bytes.size() == 8 ? hash_of(bytes.first<8>()) : hash_of(bytes);
  return slot_id{static_cast<std::uint16_t>(hash & (limits::slot_count - 1))};
}

}  // namespace v0
}  // namespace shardway
