// Manifests that keep every rule, to be broken one by one.
#pragma once

#include <string>

#include "shardway/manifest/generation.hpp"
#include "shardway/manifest/validate.hpp"

namespace shardway_test {

inline std::string const orders_text = R"(api_version: 1
table: "shop.orders"
group: "sales"
shard_key: "customer_id"
key: "id"
stage_until: SHARDED
dual_write { mode: SYNC budget_ms: 250 }
ids { strategy: INTERLEAVED stride: 64 }
drop_foreign_key: "x_fkey"
accept_unique: "orders_number_key"
triggers: WHEN_AUTHORITATIVE
accept { finding: "row_security" subject: "shop.orders" reason: "policies are made by hand" }
)";

inline std::string const migration_text = R"(api_version: 1
name: "shop"
source {
  name: "source"
  conninfo: "host=db1 dbname=shop"
  replica { name: "replica1" conninfo: "host=db2 dbname=shop" }
}
shard { name: "shard0" conninfo: "host=s0 dbname=shop" }
shard {
  name: "shard1"
  conninfo: "host=s1 dbname=shop"
}
application_role: "app"
other_application_role: "jobs"
engine_role: "engine"
mirror_role: "mirror"
accept { finding: "clock" reason: "a test" }
)";

inline shardway::table_manifest orders() {
  return shardway::parse_table_manifest(orders_text, "orders.textpb").manifest;
}
inline shardway::migration_manifest migration() {
  return shardway::parse_migration_manifest(migration_text, "migration.textpb").manifest;
}

inline shardway::generation generation_of_two_shards() {
  using namespace shardway;
  generation made;
  made.number = 7;
  made.migration = migration();
  made.placement = even_placement(2);
  made.groups.push_back({"sales",
                         stage::sharded,
                         {{{slot_id{0}, slot_id{40}}, shard_id{0}, epoch{2}, lsn{0x16B374D848}},
                          {{slot_id{41}, slot_id{4095}}, std::nullopt, epoch{1}, lsn{}}}});
  made.tables.push_back({orders(),
                         {{"id", "bigint", false, true},
                          {"customer_id", "integer", false, true},
                          {"total", "numeric(12,2)", true, false}},
                         true});
  return made;
}

}  // namespace shardway_test
