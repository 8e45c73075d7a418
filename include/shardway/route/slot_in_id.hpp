// Ids that carry their slot, so that the id alone routes a row. Frozen: docs/formats/slot_id.md.
#pragma once

#include <cstdint>
#include <optional>

#include "shardway/base/ids.hpp"

namespace shardway {
inline namespace v0 {

/// The low bits of an id are its slot. Above them are 51 bits of a number that no other id has. The sign bit
/// is 0.
inline constexpr int id_slot_bits = 12;
inline constexpr std::int64_t id_sequence_max = (std::int64_t{1} << (63 - id_slot_bits)) - 1;
static_assert((1U << id_slot_bits) == limits::slot_count);

/// Makes an id. Nothing if the number is not in 1 .. `id_sequence_max`. Preconditions: slot < 4,096.
constexpr std::optional<std::int64_t> make_slot_id(std::int64_t sequence, slot_id slot) noexcept {
  if (sequence < 1 || sequence > id_sequence_max) return std::nullopt;
  return (sequence << id_slot_bits) | slot.value();
}

/// The slot of an id. Nothing for a number below 4,096, which cannot be such an id.
constexpr std::optional<slot_id> slot_in_id(std::int64_t id) noexcept {
  if (id < std::int64_t{limits::slot_count}) return std::nullopt;
  return slot_id{static_cast<std::uint16_t>(id & (limits::slot_count - 1))};
}

}  // namespace v0
}  // namespace shardway
