#include "shardway/manifest/routes.hpp"

#include <algorithm>

namespace shardway {
inline namespace v0 {
namespace {

group_routes routes_of_group(group_state const& group) {
  group_routes routes{group.name, {}, group.stage == stage::dual_writing || group.stage == stage::sharded};
  for (auto const& range : group.authority)
    routes.owners.assign(range.slots, {range.shard ? node_index{*range.shard} : source_node, range.epoch});
  return routes;
}

struct routed_column {
  key_type type{};
  key_limits limits{};
};

result<routed_column> routed_column_of(table_state const& table, std::string const& name) {
  auto const column = std::ranges::find(table.columns, name, &column_state::name);
  if (column == table.columns.end())
    return error{error_code::corrupt_data, "the generation lists no column \"" + name + "\" of " +
                                               table.manifest.table + ", its shard key"};
  auto const kind = key_column_of(column->key_type());
  if (!kind) return kind.error().while_doing("routing " + table.manifest.table + " by \"" + name + "\"");
  return routed_column{type_of(kind.value()), key_limits_of(column->key_type())};
}

result<table_routes> routes_of_table(generation const& current, table_state const& table) {
  auto const group = std::ranges::find(current.groups, table.manifest.group, &group_state::name);
  if (group == current.groups.end())
    return error{error_code::corrupt_data,
                 "the generation has no group \"" + table.manifest.group + "\" for " + table.manifest.table};
  table_routes routes{table.manifest.table,
                      static_cast<std::uint16_t>(group - current.groups.begin()),
                      table.manifest.kind == table_kind::reference,
                      {},
                      table.manifest.shard_key};
  for (auto const& column : table.manifest.shard_key) {
    BOOST_OUTCOME_TRY(auto const routed, routed_column_of(table, column));
    routes.shard_key.push_back(routed.type);
    routes.limits.push_back(routed.limits);
  }
  return routes;
}

}  // namespace

result<std::shared_ptr<routing_snapshot const>> routes_of(generation const& current) {
  routing_data data;
  data.generation = current.number;
  data.shard_count = static_cast<std::uint16_t>(current.migration.shards.size());
  for (auto const& range : current.placement) data.placed.assign(range.slots, range.shard);
  for (auto const& group : current.groups) data.groups.push_back(routes_of_group(group));
  for (auto const& table : current.tables) {
    BOOST_OUTCOME_TRY(auto routes, routes_of_table(current, table));
    data.tables.push_back(std::move(routes));
  }
  return routing_snapshot::make(std::move(data));
}

}  // namespace v0
}  // namespace shardway
