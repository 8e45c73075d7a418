// The rules of one manifest. Codes are stable: docs/MANIFEST.md.
#include "shardway/manifest/validate.hpp"

#include <algorithm>

#include "lib/manifest/checks.hpp"
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
    found.add("M006", "table", 0, "the schema " + shown(schema) + " does not belong to the application",
              "write no manifests for system tables and for tables of schema shardway");
}

void check_group(finder& found, table_manifest const& table) {
  if (is_plain_name(table.group, limits::group_name_bytes_max)) return;
  found.add("M007", "group", 0,
            "the group name " + shown(table.group) + " is not of the form [a-z][a-z0-9_]*, at most 40 bytes",
            "choose a short name in small letters, such as \"sales\"");
}

void check_keys(finder& found, table_manifest const& table) {
  check_names(found, "shard_key", "shard key column", table.shard_key);
  check_names(found, "key", "key column", table.key);
  bool const reference = table.kind == table_kind::reference;
  if (reference && !table.shard_key.empty())
    found.add("M009", "shard_key", 0, "a reference table has a shard key",
              "remove shard_key, or kind: REFERENCE");
  if (!reference && table.shard_key.empty())
    found.add("M010", "table", 0, "the table has no shard key",
              "write shard_key: \"column\", or kind: REFERENCE for a table that every shard copies");
  if (table.shard_key.size() > limits::shard_key_columns_max)
    found.add("M011", "shard_key", static_cast<int>(limits::shard_key_columns_max),
              "the shard key has more than 4 columns", "route by fewer columns: one is best");
  if (table.key.empty())
    found.add("M012", "table", 0, "the table has no key",
              "write key: \"column\" for each column of its primary key, in order");
}

void check_options(finder& found, table_manifest const& table) {
  if (table.budget <= 0ms || table.budget > budget_max)
    found.add("M013", "dual_write.budget_ms", 0,
              "the budget of " + std::to_string(table.budget.count()) + " ms is not between 1 and 60000",
              "250 is the default; the write is reported as pending after it");
  check_names(found, "drop_foreign_key", "foreign key", table.drop_foreign_keys);
  check_names(found, "accept_unique", "unique index", table.accept_unique);
  check_names(found, "classified_column", "classified column", table.classified_columns);
  if (table.kind != table_kind::reference) return;
  if (table.stage_until == stage::finalized)
    found.add("M035", "stage_until", 0, "a reference table cannot be finalized",
              "remove stage_until: the source keeps authority for a reference table");
  if (table.capture == capture_kind::trigger)
    found.add("M058", "capture", 0, "a reference table has capture: TRIGGER",
              "remove capture: writes to a reference table reach the shards by the stream alone");
}

void check_node(finder& found, int index, node_definition const& node,
                std::vector<node_definition const*> const& before) {
  if (!is_plain_name(node.name, limits::identifier_bytes_max))
    found.add("M019", "node.name", index,
              "the node name " + shown(node.name) + " is not of the form [a-z][a-z0-9_]*, at most 63 bytes",
              "choose a name such as \"shard0\"");
  check_conninfo(found, index, node);
  for (auto const* other : before) {
    if (other->name == node.name)
      found.add("M020", "node.name", index, "two nodes are named " + shown(node.name),
                "give each node its own name");
    if (is_same_database(other->conninfo, node.conninfo))
      found.add("M021", "node.conninfo", index,
                "the conninfos of nodes " + shown(other->name) + " and " + shown(node.name) +
                    " lead to one database",
                "two nodes are two databases: correct one of them");
  }
}

void check_nodes(finder& found, migration_manifest const& migration) {
  std::vector<node_definition const*> seen;
  auto const check = [&](node_definition const& node, bool is_replica) {
    check_node(found, static_cast<int>(seen.size()), node, seen);
    if (is_replica && !node.replicas.empty())
      found.add("M025", "node", static_cast<int>(seen.size()),
                "the replica " + shown(node.name) + " has replicas of its own",
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

void check_reserved_role(finder& found, std::string_view field, int index, std::string_view what,
                         std::string const& role) {
  if (role.starts_with("pg_") || role == "public" || role == "none")
    found.add("M059", field, index,
              "the " + std::string{what} + " " + shown(role) + " is a name that PostgreSQL keeps for itself",
              "create a role of another name");
}

void check_role(finder& found, std::string_view field, std::string_view what, std::string const& role) {
  if (check_identifier(found, field, 0, what, role)) check_reserved_role(found, field, 0, what, role);
}

void check_application_role(finder& found, migration_manifest const& migration, std::string_view field,
                            int index, std::string const& role) {
  if (index > 0 || field != "application_role")
    check_reserved_role(found, field, index, "application role", role);
  if (!role.empty() && (role == migration.engine_role || role == migration.mirror_role))
    found.add("M024", field, index,
              "the application role " + shown(role) + " is also the engine's or the mirror's",
              "services must not hold the engine's rights: create a role for each");
}

void check_roles(finder& found, migration_manifest const& migration) {
  check_role(found, "application_role", "application role", migration.application_role);
  check_role(found, "engine_role", "engine role", migration.engine_role);
  check_role(found, "mirror_role", "mirror role", migration.mirror_role);
  check_application_role(found, migration, "application_role", 0, migration.application_role);
  auto const& others = migration.other_application_roles;
  check_names(found, "other_application_role", "application role", others);
  for (std::size_t i = 0; i < others.size(); ++i) {
    auto const index = static_cast<int>(i);
    check_application_role(found, migration, "other_application_role", index, others[i]);
    if (others[i] == migration.application_role)
      found.add("M008", "other_application_role", index,
                "the application role " + shown(others[i]) + " is listed twice", "list it once");
  }
}

}  // namespace

void check_names(finder& found, std::string_view field, std::string_view what,
                 std::vector<std::string> const& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    check_identifier(found, field, static_cast<int>(i), what, names[i]);
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i))
      found.add("M008", field, static_cast<int>(i),
                "the " + std::string{what} + " " + shown(names[i]) + " is listed twice", "list it once");
  }
}

std::vector<manifest_finding> validate(table_manifest const& table, std::string const& file,
                                       field_positions const& positions) {
  finder found{file, positions};
  check_table_name(found, table);
  check_group(found, table);
  check_keys(found, table);
  check_ids(found, table);
  check_options(found, table);
  check_lookups(found, table);
  check_reads(found, table);
  check_accepted(found, table.accept);
  return found.take();
}

std::vector<manifest_finding> validate(migration_manifest const& migration, std::string const& file,
                                       field_positions const& positions) {
  finder found{file, positions};
  if (!is_plain_name(migration.name, 30))
    found.add("M022", "name", 0,
              "the migration's name " + shown(migration.name) +
                  " is not of the form [a-z][a-z0-9_]*, at most 30 bytes",
              "it becomes part of the names of replication slots and publications");
  if (migration.shards.empty() || migration.shards.size() > 1024)
    found.add("M023", migration.shards.empty() ? "name" : "shard", 1024,
              "the migration has " + std::to_string(migration.shards.size()) + " shards",
              "list 1 to 1024 of them: shard { ... }");
  check_nodes(found, migration);
  check_pins(found, migration);
  check_catalog(found, migration);
  check_roles(found, migration);
  check_accepted(found, migration.accept);
  return found.take();
}

}  // namespace v0
}  // namespace shardway
