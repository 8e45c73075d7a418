// Which shard each slot is placed on, and which node may accept its writes. Plain arrays that are filled once
// and then only read.
#pragma once

#include <array>
#include <compare>
#include <optional>
#include <vector>

#include "shardway/base/ids.hpp"

namespace shardway {
inline namespace v0 {

/// A node by number: 0 is the source, i + 1 is shard i.
class node_index {
 public:
  constexpr node_index() noexcept = default;  ///< the source
  constexpr explicit node_index(shard_id shard) noexcept
      : value_(static_cast<std::uint16_t>(shard.value() + 1)) {}
  constexpr bool is_source() const noexcept { return value_ == 0; }
  /// Nothing for the source.
  constexpr std::optional<shard_id> shard() const noexcept {
    return is_source() ? std::nullopt : std::optional{shard_id{static_cast<std::uint16_t>(value_ - 1)}};
  }
  /// 0 for the source, i + 1 for shard i: an index into an array of nodes.
  constexpr std::uint16_t value() const noexcept { return value_; }
  friend constexpr auto operator<=>(node_index, node_index) noexcept = default;

 private:
  std::uint16_t value_{};
};

inline constexpr node_index source_node{};

/// Slot -> shard. Every slot is on shard 0 until it is assigned. Cost: 8 KiB.
class placement {
 public:
  constexpr void assign(slot_range slots, shard_id shard) noexcept {
    for (std::uint32_t slot = slots.first.value(); slot <= slots.last.value(); ++slot) shards_[slot] = shard;
  }
  /// Preconditions: slot < 4,096.
  constexpr shard_id shard_of(slot_id slot) const noexcept { return shards_[slot.value()]; }

 private:
  std::array<shard_id, limits::slot_count> shards_{};
};

/// The node that may accept the writes of a slot, and since which epoch.
struct slot_owner {
  node_index node{};
  shardway::epoch epoch{};
  friend constexpr bool operator==(slot_owner, slot_owner) noexcept = default;
};

/// Slot -> owner for one group. Every slot belongs to the source at epoch 0 until it is assigned. Cost: 8
/// KiB, and 4 bytes for each distinct owner.
class routing_table {
 public:
  constexpr void assign(slot_range slots, slot_owner owner) {
    auto const number = number_of(owner);
    for (std::uint32_t slot = slots.first.value(); slot <= slots.last.value(); ++slot)
      numbers_[slot] = number;
  }
  /// Preconditions: slot < 4,096.
  constexpr slot_owner owner_of(slot_id slot) const noexcept { return owners_[numbers_[slot.value()]]; }

 private:
  constexpr std::uint16_t number_of(slot_owner owner) {
    for (auto i = owners_.size(); i-- > 0;)
      if (owners_[i] == owner) return static_cast<std::uint16_t>(i);
    if (owners_.size() >= std::size_t{2} * limits::slot_count) drop_unused();
    owners_.push_back(owner);
    return static_cast<std::uint16_t>(owners_.size() - 1);
  }
  // Many assignments would fill the list: keep only the owners that some slot still has.
  constexpr void drop_unused() {
    auto const before = *this;
    owners_.clear();
    for (std::uint32_t slot = 0; slot < limits::slot_count; ++slot)
      numbers_[slot] = number_of(before.owner_of(slot_id{static_cast<std::uint16_t>(slot)}));
  }

  std::array<std::uint16_t, limits::slot_count> numbers_{};  ///< positions in owners_
  std::vector<slot_owner> owners_{slot_owner{}};
};

}  // namespace v0
}  // namespace shardway
