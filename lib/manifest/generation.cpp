#include "shardway/manifest/generation.hpp"

#include <algorithm>

#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {
namespace {

/// The range of a sorted list that holds the slot; null if there is a gap.
template <class Range>
Range const* range_of(std::vector<Range> const& ranges, slot_id slot) noexcept {
  auto const past = [](Range const& range, slot_id wanted) { return range.slots.last < wanted; };
  auto const found = std::lower_bound(ranges.begin(), ranges.end(), slot, past);
  return found != ranges.end() && found->slots.contains(slot) ? &*found : nullptr;
}

}  // namespace

group_state const* generation::find_group(std::string_view name) const noexcept {
  auto const found = std::ranges::find(groups, name, &group_state::name);
  return found == groups.end() ? nullptr : &*found;
}

table_state const* generation::find_table(std::string_view schema_and_name) const noexcept {
  auto const found = std::ranges::find_if(
      tables, [&](table_state const& table) { return table.manifest.table == schema_and_name; });
  return found == tables.end() ? nullptr : &*found;
}

authority_range const& generation::authority_of(group_state const& group, slot_id slot) noexcept {
  auto const* found = range_of(group.authority, slot);
  ensure(found != nullptr, "I1: every slot of a group has one authority");
  return *found;
}

shard_id generation::shard_of(slot_id slot) const noexcept {
  auto const* found = range_of(placement, slot);
  ensure(found != nullptr, "every slot is placed on a shard");
  return found->shard;
}

std::vector<placement_range> even_placement(std::uint16_t shard_count) {
  ensure(shard_count >= 1 && shard_count <= 1024, "a migration has 1 to 1,024 shards");
  std::vector<placement_range> ranges;
  for (std::uint32_t shard = 0; shard < shard_count; ++shard) {
    auto const first = limits::slot_count * shard / shard_count;
    auto const end = limits::slot_count * (shard + 1) / shard_count;
    ranges.push_back(
        {{slot_id{static_cast<std::uint16_t>(first)}, slot_id{static_cast<std::uint16_t>(end - 1)}},
         shard_id{static_cast<std::uint16_t>(shard)}});
  }
  return ranges;
}

}  // namespace v0
}  // namespace shardway
