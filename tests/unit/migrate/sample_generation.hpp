// A generation of three shards with one sharded and one reference table.
#pragma once

#include "shardway/manifest/generation.hpp"

namespace shardway_test {

using namespace shardway;

inline slot_range slots(unsigned first, unsigned last) {
  return {slot_id{static_cast<std::uint16_t>(first)}, slot_id{static_cast<std::uint16_t>(last)}};
}
inline shard_id shard(unsigned position) { return shard_id{static_cast<std::uint16_t>(position)}; }

inline table_state sample_table(std::string name, std::string group, table_kind kind = table_kind::sharded) {
  table_state table;
  table.manifest.table = std::move(name);
  table.manifest.group = std::move(group);
  table.manifest.kind = kind;
  table.manifest.key = {"id"};
  if (kind == table_kind::sharded) table.manifest.shard_key = {"customer_id"};
  table.columns = {
      {"id", "bigint", false, true}, {"customer_id", "bigint", false, true}, {"note", "text", false, false}};
  return table;
}

/// Slots 0 to 999 on shard 0, 1000 to 2999 on shard 1, the rest on shard 2; all under the source at epoch 1.
inline generation sample_generation() {
  generation now;
  now.number = 7;
  now.migration = {.name = "shop",
                   .source = {.name = "source", .conninfo = {}, .replicas = {}},
                   .shards = {},
                   .application_role = "app",
                   .engine_role = "engine",
                   .mirror_role = "mirror"};
  for (auto const* name : {"shard0", "shard1", "shard2"})
    now.migration.shards.push_back({.name = name, .conninfo = {}, .replicas = {}});
  now.placement = {{slots(0, 999), shard(0)}, {slots(1000, 2999), shard(1)}, {slots(3000, 4095), shard(2)}};
  now.groups = {{.name = "sales",
                 .stage = stage::dual_writing,
                 .authority = {{all_slots, std::nullopt, epoch{1}, {}}}}};
  now.tables = {sample_table("shop.orders", "sales"), sample_table("shop.items", "sales")};
  return now;
}

}  // namespace shardway_test
