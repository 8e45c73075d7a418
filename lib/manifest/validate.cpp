// The rules of one manifest. Codes are stable: docs/MANIFEST.md.
#include "shardway/manifest/validate.hpp"

#include <algorithm>

#include "rules.hpp"
#include "shardway/base/limits.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using namespace std::chrono_literals;

constexpr auto budget_max = 60'000ms;

void check_table_name(finder& found, table_manifest const& table) {
  auto const parts = split_table(table.table);
  if (!parts) {
    found.add("M003", "table", 0, "the table " + shown(table.table) + " is not named as schema.name",
              "write table: \"schema.name\", as the source's catalog has them; neither may hold a dot");
    return;
  }
  auto const [schema, name] = *parts;
  check_identifier(found, "table", 0, "schema", schema);
  check_identifier(found, "table", 0, "table name", name);
  if (schema == "shardway" || schema == "information_schema" || schema.starts_with("pg_"))
    found.add("M006", "table", 0, "the schema " + shown(schema) + " is not the application's", "leave system tables and ours out");
}

void check_group(finder& found, table_manifest const& table) {
  if (is_plain_name(table.group, limits::group_name_bytes_max)) return;
  found.add("M007", "group", 0, "the group name " + shown(table.group) + " is not of the form [a-z][a-z0-9_]*, at most 40 bytes",
            "choose a short name in small letters, such as \"sales\"");
}

void check_columns(finder& found, std::string_view field, std::string_view what, std::vector<std::string> const& columns) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    check_identifier(found, field, static_cast<int>(i), what, columns[i]);
    if (std::find(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(i), columns[i]) != columns.begin() + static_cast<std::ptrdiff_t>(i))
      found.add("M008", field, static_cast<int>(i), "the " + std::string{what} + " " + shown(columns[i]) + " is there twice", "name it once");
  }
}

void check_keys(finder& found, table_manifest const& table) {
  check_columns(found, "shard_key", "shard key column", table.shard_key);
  check_columns(found, "key", "key column", table.key);
  bool const reference = table.kind == table_kind::reference;
  if (reference && !table.shard_key.empty())
    found.add("M009", "shard_key", 0, "a reference table has a shard key", "remove shard_key, or kind: REFERENCE");
  if (!reference && table.shard_key.empty())
    found.add("M010", "table", 0, "the table has no shard key", "write shard_key: \"column\", or kind: REFERENCE for a table every shard copies");
  if (table.shard_key.size() > limits::shard_key_columns_max)
    found.add("M011", "shard_key", static_cast<int>(limits::shard_key_columns_max), "the shard key has more than 4 columns",
              "route by fewer columns: one is best");
  if (table.key.empty())
    found.add("M012", "table", 0, "the table has no key", "write key: \"column\" for each column of its primary key, in order");
}

void check_options(finder& found, table_manifest const& table) {
  if (table.budget <= 0ms || table.budget > budget_max)
    found.add("M013", "dual_write.budget_ms", 0, "the budget of " + std::to_string(table.budget.count()) + " ms is not between 1 and 60000",
              "250 is the default; the write is reported as pending after it");
  if (table.id_stride < 2 || table.id_stride > 4096)
    found.add("M014", "ids.stride", 0, "the stride of " + std::to_string(table.id_stride) + " is not between 2 and 4096",
              "take more than the number of shards you will ever have");
  if (table.ids == id_strategy_kind::interleaved && table.kind == table_kind::reference)
    found.add("M015", "ids.strategy", 0, "a reference table has interleaved ids", "remove ids: only the source gives a reference table ids");
  check_columns(found, "drop_foreign_key", "foreign key", table.drop_foreign_keys);
  check_columns(found, "accept_unique", "unique index", table.accept_unique);
}

void check_conninfo(finder& found, int index, node_definition const& node) {
  auto const settings = parse_conninfo(node.conninfo);
  if (!settings || settings->empty()) {
    found.add("M018", "node.conninfo", index, "the conninfo of node " + shown(node.name) + " is missing, or not in libpq's keyword form",
              "write conninfo: \"host=... port=5432 dbname=...\"; a URI is not taken");
    return;
  }
  for (auto const& [keyword, value] : *settings)
    if (keyword == "password" || keyword == "sslpassword")
      found.add("M017", "node.conninfo", index, "the conninfo of node " + shown(node.name) + " holds a " + keyword,
                "remove it: passwords come from PGPASSFILE, a service file or the environment");
}

void check_node(finder& found, int index, node_definition const& node, std::vector<node_definition const*> const& before) {
  if (!is_plain_name(node.name, limits::identifier_bytes_max))
    found.add("M019", "node.name", index, "the node name " + shown(node.name) + " is not of the form [a-z][a-z0-9_]*, at most 63 bytes",
              "choose a name such as \"shard0\"");
  check_conninfo(found, index, node);
  for (auto const* other : before) {
    if (other->name == node.name)
      found.add("M020", "node.name", index, "two nodes are named " + shown(node.name), "give each node its own name");
    if (!node.conninfo.empty() && other->conninfo == node.conninfo)
      found.add("M021", "node.conninfo", index, "the nodes " + shown(other->name) + " and " + shown(node.name) + " have the same conninfo",
                "two nodes are two databases: correct one of them");
  }
}

void check_nodes(finder& found, migration_manifest const& migration) {
  std::vector<node_definition const*> seen;
  auto const check = [&](node_definition const& node, bool is_replica) {
    check_node(found, static_cast<int>(seen.size()), node, seen);
    if (is_replica && !node.replicas.empty())
      found.add("M025", "node", static_cast<int>(seen.size()), "the replica " + shown(node.name) + " has replicas of its own",
                "list every replica under its primary");
    seen.push_back(&node);
  };
  auto const check_all = [&](node_definition const& primary) {
    check(primary, false);
    for (auto const& replica : primary.replicas) check(replica, true);
  };
  check_all(migration.source);
  for (auto const& shard : migration.shards) check_all(shard);
}

void check_roles(finder& found, migration_manifest const& migration) {
  check_identifier(found, "application_role", 0, "application role", migration.application_role);
  check_identifier(found, "engine_role", 0, "engine role", migration.engine_role);
  check_identifier(found, "mirror_role", 0, "mirror role", migration.mirror_role);
  auto const& application = migration.application_role;
  if (!application.empty() && (application == migration.engine_role || application == migration.mirror_role))
    found.add("M024", "application_role", 0, "the application role " + shown(application) + " is also the engine's or the mirror's",
              "services must not hold the engine's rights: create a role for each");
}

}  // namespace

std::vector<manifest_finding> validate(table_manifest const& table, std::string const& file, field_positions const& positions) {
  finder found{file, positions};
  check_table_name(found, table);
  check_group(found, table);
  check_keys(found, table);
  check_options(found, table);
  return found.take();
}

std::vector<manifest_finding> validate(migration_manifest const& migration, std::string const& file, field_positions const& positions) {
  finder found{file, positions};
  if (!is_plain_name(migration.name, 30))
    found.add("M022", "name", 0, "the migration's name " + shown(migration.name) + " is not of the form [a-z][a-z0-9_]*, at most 30 bytes",
              "it becomes part of the names of replication slots and publications");
  if (migration.shards.empty() || migration.shards.size() > 1024)
    found.add("M023", "shard", 0, "the migration has " + std::to_string(migration.shards.size()) + " shards", "list 1 to 1024 of them: shard { ... }");
  check_nodes(found, migration);
  check_roles(found, migration);
  return found.take();
}

}  // namespace v0
}  // namespace shardway
