#include "lib/migrate/verify/row_compare.hpp"

#include <algorithm>
#include <array>

namespace shardway {
inline namespace v0 {
namespace migrate::verify {
namespace {

row_on_node const* on_node(rows_of_key const& rows_seen, std::optional<shard_id> node) {
  for (auto const& row_seen : rows_seen.seen)
    if (row_seen.node == node) return &row_seen;
  return nullptr;
}

row_on_node const* on_source(rows_of_key const& rows_seen) { return on_node(rows_seen, std::nullopt); }

std::size_t count_on_shards(rows_of_key const& rows_seen) {
  return static_cast<std::size_t>(
      std::count_if(rows_seen.seen.begin(), rows_seen.seen.end(),
                    [](row_on_node const& row_seen) { return row_seen.node.has_value(); }));
}

std::string node_name(std::optional<shard_id> node, generation const& now) {
  return node ? now.migration.shards[node->value()].name : now.migration.source.name;
}

}  // namespace

bool operator==(rows_of_key const& a, rows_of_key const& b) {
  auto const same = [](row_on_node const& x, row_on_node const& y) {
    return x.node == y.node && x.hash == y.hash && x.version == y.version;
  };
  return a.seen.size() == b.seen.size() &&
         std::is_permutation(a.seen.begin(), a.seen.end(), b.seen.begin(), same);
}

bool agrees(rows_of_key const& rows_seen, generation const& now, table_kind kind) {
  auto const* source = on_source(rows_seen);
  if (!source) return rows_seen.seen.empty();
  if (kind == table_kind::reference) {
    if (count_on_shards(rows_seen) != now.migration.shards.size()) return false;
  } else {
    if (count_on_shards(rows_seen) != 1) return false;
    for (auto const& row_seen : rows_seen.seen)
      if (row_seen.node && *row_seen.node != now.shard_of(slot_id{static_cast<std::uint16_t>(row_seen.slot)}))
        return false;
  }
  return std::all_of(rows_seen.seen.begin(), rows_seen.seen.end(),
                     [&](row_on_node const& row_seen) { return row_seen.hash == source->hash; });
}

namespace {

row_difference make_difference(rows_of_key const& rows_seen, difference_kind kind, std::string node) {
  return {.kind = kind, .node = std::move(node), .key_digest = rows_seen.digest, .key = rows_seen.key};
}

std::vector<row_difference> classify_reference(rows_of_key const& rows_seen, generation const& now) {
  std::vector<row_difference> found;
  auto const* source = on_source(rows_seen);
  for (std::size_t i = 0; i < now.migration.shards.size(); ++i) {
    auto const shard = shard_id{static_cast<std::uint16_t>(i)};
    auto const* copy = on_node(rows_seen, shard);
    if (!copy && source)
      found.push_back(make_difference(rows_seen, difference_kind::missing, node_name(shard, now)));
    if (copy && !source)
      found.push_back(make_difference(rows_seen, difference_kind::extra, node_name(shard, now)));
    if (copy && source && copy->hash != source->hash)
      found.push_back(make_difference(rows_seen, difference_kind::different, node_name(shard, now)));
  }
  return found;
}

slot_id slot_of(row_on_node const& row_seen) { return slot_id{static_cast<std::uint16_t>(row_seen.slot)}; }

// The copies whose node has authority for the slot that the copy itself gives.
std::vector<row_on_node const*> claims(rows_of_key const& rows_seen, group_state const& group) {
  std::vector<row_on_node const*> found;
  for (auto const& row_seen : rows_seen.seen)
    if (generation::authority_of(group, slot_of(row_seen)).shard == row_seen.node) found.push_back(&row_seen);
  return found;
}

row_on_node const* authoritative(rows_of_key const& rows_seen, group_state const& group) {
  auto const found = claims(rows_seen, group);
  return found.empty() ? nullptr : found.front();
}

std::vector<row_difference> misplaced(rows_of_key const& rows_seen, generation const& now,
                                      row_on_node const* deciding) {
  std::vector<row_difference> found;
  auto const kind =
      count_on_shards(rows_seen) > 1 ? difference_kind::two_shards : difference_kind::wrong_shard;
  for (auto const& row_seen : rows_seen.seen)
    if (row_seen.node && *row_seen.node != now.shard_of(slot_of(deciding ? *deciding : row_seen)))
      found.push_back(make_difference(rows_seen, kind, node_name(row_seen.node, now)));
  return found;
}

}  // namespace

std::vector<row_difference> classify(rows_of_key const& rows_seen, generation const& now,
                                     group_state const& group, table_kind kind) {
  if (kind == table_kind::reference) return classify_reference(rows_seen, now);
  if (auto const claimed = claims(rows_seen, group); claimed.size() > 1) {  // AP10
    std::vector<row_difference> conflicts;
    for (auto const* claim : claimed)
      conflicts.push_back(make_difference(rows_seen, difference_kind::conflict, node_name(claim->node, now)));
    return conflicts;
  }
  auto const* deciding = authoritative(rows_seen, group);
  auto found = misplaced(rows_seen, now, deciding);
  if (!found.empty()) return found;
  if (!deciding) {
    for (auto const& row_seen : rows_seen.seen)
      found.push_back(make_difference(rows_seen, difference_kind::extra, node_name(row_seen.node, now)));
    return found;
  }
  auto const other =
      deciding->node ? std::optional<shard_id>() : std::optional(now.shard_of(slot_of(*deciding)));
  auto const how = on_node(rows_seen, other) ? difference_kind::different : difference_kind::missing;
  return {make_difference(rows_seen, how, node_name(other, now))};
}

std::optional<shard_id> deciding_node(rows_of_key const& rows_seen, row_difference const& row,
                                      generation const& now, group_state const& group, table_kind kind) {
  if (kind == table_kind::reference) return std::nullopt;
  if (auto const* deciding = authoritative(rows_seen, group)) return deciding->node;
  for (auto const& row_seen : rows_seen.seen)
    if (node_name(row_seen.node, now) == row.node)
      return generation::authority_of(group, slot_of(row_seen)).shard;
  return std::nullopt;
}

verdict judge(std::vector<rows_of_key> const& checks, generation const& now, table_kind kind) {
  for (auto const& check : checks)
    if (agrees(check, now, kind)) return verdict::equal;
  if (checks.size() >= 2 && checks[checks.size() - 1] == checks[checks.size() - 2]) return verdict::different;
  return verdict::could_not_tell;
}

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
