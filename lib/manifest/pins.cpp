// Pinned keys: their slots, and the placement that follows from them.
#include <algorithm>

#include "shardway/base/ensure.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/route/slot.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error invalid(std::string what) {
  return error{error_code::manifest_invalid, "placing pinned keys: " + std::move(what),
               "correct the migration's manifest: docs/MANIFEST.md"};
}

result<shard_id> shard_named(migration_manifest const& migration, std::string const& name) {
  auto const found = std::ranges::find(migration.shards, name, &node_definition::name);
  if (found == migration.shards.end()) return invalid("there is no shard \"" + name + "\"");
  return shard_id{static_cast<std::uint16_t>(found - migration.shards.begin())};
}

/// Ranges of one shard that touch, as one.
std::vector<placement_range> ranges_of(std::vector<shard_id> const& by_slot) {
  std::vector<placement_range> ranges;
  for (std::size_t i = 0; i < by_slot.size(); ++i) {
    slot_id const slot{static_cast<std::uint16_t>(i)};
    if (ranges.empty() || ranges.back().shard != by_slot[i])
      ranges.push_back({{slot, slot}, by_slot[i]});
    else
      ranges.back().slots.last = slot;
  }
  return ranges;
}

}  // namespace

result<slot_id> slot_of(pinned_key const& pin) {
  if (pin.types.empty() || pin.types.size() > limits::shard_key_columns_max ||
      pin.types.size() != pin.values.size())
    return invalid("a pin has not one type for each of 1 to 4 values");
  std::vector<shard_key> parts;
  for (std::size_t i = 0; i < pin.types.size(); ++i) {
    BOOST_OUTCOME_TRY(auto part, shard_key::from_text(pin.types[i], pin.values[i]));
    parts.push_back(std::move(part));
  }
  BOOST_OUTCOME_TRY(auto const key, shard_key::composite(parts));
  BOOST_OUTCOME_TRYV(key.check());
  return slot_of(key);
}

result<std::vector<placement_range>> first_placement(migration_manifest const& migration) {
  std::vector<shard_id> open;  // shards that get slots without a pin
  for (std::size_t i = 0; i < migration.shards.size(); ++i)
    if (!migration.shards[i].pinned_only) open.push_back(shard_id{static_cast<std::uint16_t>(i)});
  if (open.empty() || migration.shards.size() > 1024)
    return invalid("every shard is pinned_only, or there are none or more than 1024");
  std::vector<shard_id> by_slot(limits::slot_count);
  for (auto const& range : even_placement(static_cast<std::uint16_t>(open.size())))
    std::fill_n(by_slot.begin() + range.slots.first.value(), range.slots.count(), open[range.shard.value()]);
  std::vector<bool> taken(limits::slot_count);
  for (auto const& pin : migration.pins) {
    BOOST_OUTCOME_TRY(auto const shard, shard_named(migration, pin.shard));
    BOOST_OUTCOME_TRY(auto const slot, slot_of(pin));
    if (taken[slot.value()] && by_slot[slot.value()] != shard)
      return invalid("two pins put one slot on different shards");
    taken[slot.value()] = true;
    by_slot[slot.value()] = shard;
  }
  return ranges_of(by_slot);
}

}  // namespace v0
}  // namespace shardway
