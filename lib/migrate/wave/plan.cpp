#include "lib/migrate/wave/plan.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::wave {

namespace {

constexpr std::size_t slots = limits::slot_count;

slot_id slot_at(std::size_t index) { return slot_id{static_cast<std::uint16_t>(index)}; }

// Consecutive chosen slots become ranges, cut where the shard changes.
std::vector<shard_slots> gather(generation const& now, std::array<bool, slots> const& chosen) {
  std::vector<shard_slots> ranges;
  for (std::size_t i = 0; i < slots; ++i) {
    if (!chosen[i]) continue;
    auto const shard = now.shard_of(slot_at(i));
    if (!ranges.empty() && ranges.back().shard == shard && ranges.back().slots.last.value() + 1u == i)
      ranges.back().slots.last = slot_at(i);
    else
      ranges.push_back({shard, {slot_at(i), slot_at(i)}});
  }
  return ranges;
}

result<wave_plan> finish_plan(std::string const& group, wave_direction direction,
                              std::vector<shard_slots> ranges, group_fences const& fences, std::string wave) {
  if (ranges.empty())
    return error(error_code::precondition_failed, "group " + group + " has no slots left to move",
                 "nothing to do: `shardway wave status` shows who has authority");
  auto const before = highest_epoch(fences);
  if (before.value() >= limits::epoch_max)  // one more bit of epoch would make the version negative (K4)
    return error(error_code::epoch_overflow, "group " + group + " has used all 1023 epochs",
                 "finalize the group and start a new migration");
  return wave_plan{.wave = std::move(wave),
                   .group = group,
                   .direction = direction,
                   .ranges = std::move(ranges),
                   .before = before,
                   .after = epoch{static_cast<std::uint16_t>(before.value() + 1)}};
}

result<group_state const*> group_of(generation const& now, std::string const& group) {
  auto const* state = now.find_group(group);
  if (!state)
    return error(error_code::invalid_argument, "there is no group " + group,
                 "`shardway migrate status` lists the groups");
  return state;
}

// Of each shard's slots as a whole, whatever ranges they come in.
void choose_first(generation const& now, double percent, std::array<bool, slots>& chosen) {
  std::map<shard_id, std::uint32_t> wanted;
  for (auto const& placed : now.placement) wanted[placed.shard] += placed.slots.count();
  for (auto& [shard, count] : wanted) count = static_cast<std::uint32_t>(std::ceil(count * percent / 100.0));
  for (auto const& placed : now.placement)
    for (std::uint32_t i = 0; i < placed.slots.count() && wanted[placed.shard] > 0;
         ++i, --wanted[placed.shard])
      chosen[placed.slots.first.value() + i] = true;
}

}  // namespace

epoch highest_epoch(group_fences const& fences) noexcept {
  epoch highest{};
  for (auto const& row : fences.source) highest = std::max(highest, row.epoch);
  for (auto const& shard : fences.shards)
    for (auto const& row : shard) highest = std::max(highest, row.epoch);
  return highest;
}

result<wave_plan> plan_forward(generation const& now, std::string const& group, double percent,
                               group_fences const& fences, std::string wave) {
  if (!(percent > 0 && percent <= 100))
    return error(error_code::invalid_argument, "percent must be above 0 and at most 100");
  BOOST_OUTCOME_TRY(auto const* state, group_of(now, group));
  std::array<bool, slots> chosen{};
  choose_first(now, percent, chosen);
  for (auto const& range : state->authority)
    if (range.shard)
      for (std::size_t i = range.slots.first.value(); i <= range.slots.last.value(); ++i) chosen[i] = false;
  return finish_plan(group, wave_direction::forward, gather(now, chosen), fences, std::move(wave));
}

result<wave_plan> plan_back(generation const& now, std::string const& group, std::optional<shard_id> shard,
                            group_fences const& fences, std::string wave) {
  BOOST_OUTCOME_TRY(auto const* state, group_of(now, group));
  std::array<bool, slots> chosen{};
  for (auto const& range : state->authority)
    if (range.shard && (!shard || *range.shard == *shard))
      for (std::size_t i = range.slots.first.value(); i <= range.slots.last.value(); ++i) chosen[i] = true;
  return finish_plan(group, wave_direction::back, gather(now, chosen), fences, std::move(wave));
}

result<std::vector<authority_range>> authority_from_fences(group_state const& before,
                                                           group_fences const& fences) {
  std::vector<authority_range> ranges;
  for (std::size_t i = 0; i < slots; ++i) {
    auto const slot = slot_at(i);
    authority_range found = generation::authority_of(before, slot);
    int open = 0;
    auto const consider = [&](std::vector<fence_row> const& rows, std::optional<shard_id> shard) {
      for (auto const& row : rows)
        if (row.open && row.slots.contains(slot)) {
          ++open;
          if (found.shard != shard || found.epoch != row.epoch) found.opened = lsn{};
          found.shard = shard;
          found.epoch = row.epoch;
        }
    };
    consider(fences.source, std::nullopt);
    for (std::size_t s = 0; s < fences.shards.size(); ++s)
      consider(fences.shards[s], shard_id{static_cast<std::uint16_t>(s)});
    if (open > 1)
      return error(error_code::corrupt_data,
                   "I1: two nodes are open for slot " + std::to_string(i) + " of group " + before.name,
                   "stop writers of the group, compare the fences of all nodes with the journal, and close "
                   "one side by hand");
    found.slots = {slot, slot};
    if (!ranges.empty() && ranges.back().shard == found.shard && ranges.back().epoch == found.epoch &&
        ranges.back().opened == found.opened)
      ranges.back().slots.last = slot;
    else
      ranges.push_back(found);
  }
  return ranges;
}

std::vector<shard_slots> ranges_by_shard(generation const& now, std::vector<slot_range> const& ranges) {
  std::array<bool, slots> chosen{};
  for (auto const& range : ranges)
    for (std::size_t i = range.first.value(); i <= range.last.value(); ++i) chosen[i] = true;
  return gather(now, chosen);
}

}  // namespace migrate::wave
}  // namespace v0
}  // namespace shardway
