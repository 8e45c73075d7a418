// Three tables that together use every piece of SQL that is made for a table, and all that is installed for
// one.
#pragma once

#include "lib/protocol/capture.hpp"
#include "lib/protocol/lookup.hpp"
#include "lib/protocol/schema.hpp"

namespace shardway_test {

using namespace shardway;

struct sql_sample {
  std::string file;
  table_state table;
  std::vector<std::string> leaves;
};

// A bigint key; captured by statement.
inline sql_sample orders_sample() {
  table_state table;
  table.manifest.table = "shop.orders";
  table.manifest.group = "sales";
  table.manifest.key = {"customer_id", "id"};
  table.manifest.shard_key = {"customer_id"};
  table.columns = {{"customer_id", "bigint", false, true},
                   {"id", "bigint", false, true},
                   {"note", "text", false, false},
                   {"twice", "bigint", true, false}};
  return {"orders", table, {}};
}

// Names that need quotes, a key of several types, a domain in the shard key, and lookups.
inline sql_sample mixed_case_sample() {
  table_state table;
  table.manifest.table = "Odd \"Schema\".Mixed Case's";
  table.manifest.group = "documents";
  table.manifest.key = {"Tenant", "doc id"};
  table.manifest.shard_key = {"Tenant", "doc id"};
  table.manifest.lookups = {{.name = "by_email", .columns = {"E-mail"}, .unique = true},
                            {.name = "by_device", .columns = {"device", "number"}, .unique = false}};
  table.columns = {{"Tenant", "\"Odd \"\"Schema\"\"\".tenant", false, true, "text"},
                   {"doc id", "uuid", false, true},
                   {"E-mail", "character varying(200)", false, false},
                   {"device", "bytea", false, false},
                   {"number", "smallint", false, false}};
  return {"mixed_case", table, {}};
}

// Partitioned, captured by triggers, and a shard key of several columns that are not all in the primary key.
inline sql_sample events_sample() {
  table_state table;
  table.manifest.table = "shop.events";
  table.manifest.group = "sales";
  table.manifest.key = {"id", "happened_at"};
  table.manifest.shard_key = {"region $f$", "account", "id"};
  table.manifest.capture = capture_kind::trigger;
  table.partitioned = true;
  table.columns = {{"id", "uuid", false, true},
                   {"happened_at", "timestamp with time zone", false, true},
                   {"region $f$", "text", false, true},
                   {"account", "integer", false, true},
                   {"state", "shop.event_state", false, false}};
  return {"events", table, {"shop.events_2026_01", "shop.Events 2026 02"}};
}

inline migration_manifest sample_migration() {
  migration_manifest migration;
  migration.name = "to_shards";
  migration.application_role = "The App";
  migration.engine_role = "engine";
  migration.mirror_role = "mirror";
  return migration;
}

struct sql_section {
  std::string title;
  std::string sql;
};

inline std::vector<sql_section> sections_of_table(sql_sample const& sample) {
  auto const& [file, table, leaves] = sample;
  std::vector<sql_section> sections;
  auto const guard = [&](write_guard kind) {
    return write_guard_sql(kind, table.manifest.table, table.manifest.group, leaves);
  };
  sections.push_back({"source: fence of the group",
                      group_sql(node_role::source, table.manifest.group, epoch{1}, "The App")});
  sections.push_back(
      {"shard: fence of the group", group_sql(node_role::shard, table.manifest.group, epoch{0}, "The App")});
  sections.push_back({"write guard: recording", guard(write_guard::recording)});
  sections.push_back({"write guard: refusing", guard(write_guard::refusing)});
  sections.push_back({"write guard: absent", guard(write_guard::absent)});
  sections.push_back({"source: shard key trigger", shard_key_trigger_sql(table, true)});
  sections.push_back({"source: no shard key trigger", shard_key_trigger_sql(table, false)});
  sections.push_back({"shard: table", shard_table_sql(table, "The App")});
  sections.push_back({"shard: table, finalizing", drop_shard_table_sql(table)});
  sections.push_back({"source: capture", capture_triggers_sql(table, node_role::source, leaves)});
  sections.push_back({"shard: capture", capture_triggers_sql(table, node_role::shard, leaves)});
  sections.push_back({"no capture", drop_capture_sql(table.manifest.table, leaves)});
  for (auto const& lookup : table.manifest.lookups)
    sections.push_back({"shard: lookup " + lookup.name, lookup_table_sql({&table, &lookup}, "The App")});
  return sections;
}

inline std::vector<sql_section> sections_of_node() {
  return {{"source: schema", node_schema_sql(node_role::source, "the source", sample_migration())},
          {"shard: schema", node_schema_sql(node_role::shard, "shard 1", sample_migration())},
          {"lookup states", lookup_state_sql("The App")},
          {"source: uninstall", uninstall_sql(node_role::source, "to_shards")},
          {"shard: uninstall", uninstall_sql(node_role::shard, "to_shards")}};
}

}  // namespace shardway_test
