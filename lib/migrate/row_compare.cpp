#include "shardway/migrate/row_compare.hpp"

#include <algorithm>
#include <array>

namespace shardway {
inline namespace v0 {
namespace {

row_sight const* on_node(key_sights const& sights, std::optional<shard_id> node) {
  for (auto const& sight : sights.seen)
    if (sight.node == node) return &sight;
  return nullptr;
}

row_sight const* on_source(key_sights const& sights) { return on_node(sights, std::nullopt); }

std::size_t count_on_shards(key_sights const& sights) {
  return static_cast<std::size_t>(std::count_if(sights.seen.begin(), sights.seen.end(), [](row_sight const& sight) { return sight.node.has_value(); }));
}

std::string node_name(std::optional<shard_id> node, generation const& now) {
  return node ? now.migration.shards[node->value()].name : now.migration.source.name;
}

}  // namespace

bool operator==(key_sights const& a, key_sights const& b) {
  auto const same = [](row_sight const& x, row_sight const& y) { return x.node == y.node && x.hash == y.hash && x.version == y.version; };
  return a.seen.size() == b.seen.size() && std::is_permutation(a.seen.begin(), a.seen.end(), b.seen.begin(), same);
}

std::string_view name(difference_kind kind) noexcept {
  constexpr std::array<std::string_view, 5> names{"missing", "extra", "different", "wrong_shard", "two_shards"};
  return names[static_cast<std::size_t>(kind)];
}

bool agrees(key_sights const& sights, generation const& now, table_kind kind) {
  auto const* source = on_source(sights);
  if (!source) return sights.seen.empty();
  if (kind == table_kind::reference) {
    if (count_on_shards(sights) != now.migration.shards.size()) return false;
  } else {
    if (count_on_shards(sights) != 1) return false;
    for (auto const& sight : sights.seen)
      if (sight.node && *sight.node != now.shard_of(slot_id{static_cast<std::uint16_t>(sight.slot)})) return false;
  }
  return std::all_of(sights.seen.begin(), sights.seen.end(), [&](row_sight const& sight) { return sight.hash == source->hash; });
}

namespace {

row_difference make_difference(key_sights const& sights, difference_kind kind, std::string node) {
  return {.kind = kind, .node = std::move(node), .key_digest = sights.digest, .key = sights.key};
}

std::vector<row_difference> classify_reference(key_sights const& sights, generation const& now) {
  std::vector<row_difference> found;
  auto const* source = on_source(sights);
  for (std::size_t i = 0; i < now.migration.shards.size(); ++i) {
    auto const shard = shard_id{static_cast<std::uint16_t>(i)};
    auto const* copy = on_node(sights, shard);
    if (!copy && source) found.push_back(make_difference(sights, difference_kind::missing, node_name(shard, now)));
    if (copy && !source) found.push_back(make_difference(sights, difference_kind::extra, node_name(shard, now)));
    if (copy && source && copy->hash != source->hash) found.push_back(make_difference(sights, difference_kind::different, node_name(shard, now)));
  }
  return found;
}

slot_id slot_of(row_sight const& sight) { return slot_id{static_cast<std::uint16_t>(sight.slot)}; }

// The copy on the node that has authority for the slot that this very copy says.
row_sight const* authoritative(key_sights const& sights, group_state const& group) {
  for (auto const& sight : sights.seen)
    if (generation::authority_of(group, slot_of(sight)).shard == sight.node) return &sight;
  return nullptr;
}

std::vector<row_difference> misplaced(key_sights const& sights, generation const& now, row_sight const* deciding) {
  std::vector<row_difference> found;
  auto const kind = count_on_shards(sights) > 1 ? difference_kind::two_shards : difference_kind::wrong_shard;
  for (auto const& sight : sights.seen)
    if (sight.node && *sight.node != now.shard_of(slot_of(deciding ? *deciding : sight)))
      found.push_back(make_difference(sights, kind, node_name(sight.node, now)));
  return found;
}

}  // namespace

std::vector<row_difference> classify(key_sights const& sights, generation const& now, group_state const& group, table_kind kind) {
  if (kind == table_kind::reference) return classify_reference(sights, now);
  auto const* deciding = authoritative(sights, group);
  auto found = misplaced(sights, now, deciding);
  if (!found.empty()) return found;
  if (!deciding) {
    for (auto const& sight : sights.seen) found.push_back(make_difference(sights, difference_kind::extra, node_name(sight.node, now)));
    return found;
  }
  auto const other = deciding->node ? std::optional<shard_id>() : std::optional(now.shard_of(slot_of(*deciding)));
  auto const how = on_node(sights, other) ? difference_kind::different : difference_kind::missing;
  return {make_difference(sights, how, node_name(other, now))};
}

std::optional<shard_id> deciding_node(key_sights const& sights, row_difference const& row, generation const& now, group_state const& group, table_kind kind) {
  if (kind == table_kind::reference) return std::nullopt;
  if (auto const* deciding = authoritative(sights, group)) return deciding->node;
  for (auto const& sight : sights.seen)
    if (node_name(sight.node, now) == row.node) return generation::authority_of(group, slot_of(sight)).shard;
  return std::nullopt;
}

verdict judge(std::vector<key_sights> const& looks, generation const& now, table_kind kind) {
  for (auto const& look : looks)
    if (agrees(look, now, kind)) return verdict::equal;
  if (looks.size() >= 2 && looks[looks.size() - 1] == looks[looks.size() - 2]) return verdict::different;
  return verdict::could_not_tell;
}

}  // namespace v0
}  // namespace shardway
