// Strong types for the small numbers of the protocol. Code that mixes them does not compile.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "shardway/base/limits.hpp"

namespace shardway {
inline namespace v0 {

/// A number of one kind. It compares only with its own kind, and only `value()` gives the plain number.
template <class Tag, class Integer>
class strong_id {
 public:
  constexpr strong_id() noexcept = default;
  constexpr explicit strong_id(Integer value) noexcept : value_(value) {}
  constexpr Integer value() const noexcept { return value_; }
  friend constexpr auto operator<=>(strong_id, strong_id) noexcept = default;

 private:
  Integer value_{};
};

/// The position of a shard in the migration, from 0.
using shard_id = strong_id<struct shard_id_tag, std::uint16_t>;

/// 0 to 4,095.
using slot_id = strong_id<struct slot_id_tag, std::uint16_t>;

/// 0 to 1,023. It grows with every change of authority.
using epoch = strong_id<struct epoch_tag, std::uint16_t>;

/// Consecutive slots. Both ends are included: all 4,096 slots are `{slot_id{0}, slot_id{4095}}`.
struct slot_range {
  slot_id first{};
  slot_id last{};
  constexpr bool contains(slot_id slot) const noexcept { return first <= slot && slot <= last; }
  constexpr bool overlaps(slot_range const& other) const noexcept {
    return first <= other.last && other.first <= last;
  }
  constexpr std::uint32_t count() const noexcept { return std::uint32_t{last.value()} - first.value() + 1; }
  friend constexpr auto operator<=>(slot_range const&, slot_range const&) noexcept = default;
};

/// All slots.
inline constexpr slot_range all_slots{slot_id{0},
                                      slot_id{static_cast<std::uint16_t>(limits::slot_count - 1)}};

}  // namespace v0
}  // namespace shardway

template <class Tag, class Integer>
struct std::hash<shardway::strong_id<Tag, Integer>> {
  std::size_t operator()(shardway::strong_id<Tag, Integer> id) const noexcept {
    return std::hash<Integer>{}(id.value());
  }
};
