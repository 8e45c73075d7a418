#include "shardway/migrate/row_compare.hpp"

#include <algorithm>
#include <array>

namespace shardway {
inline namespace v0 {
namespace {

row_sight const* on_source(key_sights const& sights) {
  for (auto const& sight : sights.seen)
    if (!sight.node) return &sight;
  return nullptr;
}

std::size_t count_on_shards(key_sights const& sights) {
  return static_cast<std::size_t>(std::count_if(sights.seen.begin(), sights.seen.end(), [](row_sight const& sight) { return sight.node.has_value(); }));
}

std::string node_name(std::optional<shard_id> node, generation const& now) {
  return node ? now.migration.shards[node->value()].name : now.migration.source.name;
}

}  // namespace

bool operator==(key_sights const& a, key_sights const& b) {
  auto const same = [](row_sight const& x, row_sight const& y) { return x.node == y.node && x.hash == y.hash; };
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

row_difference classify_reference(key_sights const& sights, generation const& now) {
  auto const* source = on_source(sights);
  for (std::size_t i = 0; i < now.migration.shards.size(); ++i) {
    auto const shard = shard_id{static_cast<std::uint16_t>(i)};
    auto const found = std::find_if(sights.seen.begin(), sights.seen.end(), [&](row_sight const& sight) { return sight.node == shard; });
    if (found == sights.seen.end() && source) return make_difference(sights, difference_kind::missing, node_name(shard, now));
    if (found != sights.seen.end() && !source) return make_difference(sights, difference_kind::extra, node_name(shard, now));
    if (found != sights.seen.end() && source && found->hash != source->hash)
      return make_difference(sights, difference_kind::different, node_name(shard, now));
  }
  return make_difference(sights, difference_kind::different, now.migration.source.name);
}

}  // namespace

row_difference classify(key_sights const& sights, generation const& now, group_state const& group, table_kind kind) {
  if (kind == table_kind::reference) return classify_reference(sights, now);
  for (auto const& sight : sights.seen) {
    if (!sight.node) continue;
    auto const home = now.shard_of(slot_id{static_cast<std::uint16_t>(sight.slot)});
    if (*sight.node == home) continue;
    bool const twice = count_on_shards(sights) > 1;
    return make_difference(sights, twice ? difference_kind::two_shards : difference_kind::wrong_shard, node_name(sight.node, now));
  }
  auto const slot = slot_id{static_cast<std::uint16_t>(sights.seen.front().slot)};
  auto const authority = generation::authority_of(group, slot).shard;
  auto const other = authority ? std::optional<shard_id>() : std::optional(now.shard_of(slot));
  auto const seen_on = [&](std::optional<shard_id> node) {
    return std::any_of(sights.seen.begin(), sights.seen.end(), [&](row_sight const& sight) { return sight.node == node; });
  };
  if (!seen_on(other)) return make_difference(sights, difference_kind::missing, node_name(other, now));
  if (!seen_on(authority)) return make_difference(sights, difference_kind::extra, node_name(other, now));
  return make_difference(sights, difference_kind::different, node_name(other, now));
}

verdict judge(std::vector<key_sights> const& looks, generation const& now, table_kind kind) {
  for (auto const& look : looks)
    if (agrees(look, now, kind)) return verdict::equal;
  if (looks.size() >= 2 && looks[looks.size() - 1] == looks[looks.size() - 2]) return verdict::different;
  return verdict::could_not_tell;
}

}  // namespace v0
}  // namespace shardway
