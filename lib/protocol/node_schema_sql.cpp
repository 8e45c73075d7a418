#include "absl/strings/str_cat.h"
#include "lib/protocol/durable_commit.hpp"
#include "lib/protocol/id_block.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/operation.hpp"
#include "lib/protocol/schema.hpp"
#include "lib/protocol/slot_of.hpp"
#include "lib/protocol/sql_template.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {
namespace {

std::string identity_sql(node_role role, std::string_view node_name, migration_manifest const& migration) {
  return fill(sql::node_identity,
              {{"name", sql_fragment::literal(node_name)},
               {"migration", sql_fragment::literal(migration.name)},
               {"role", sql_fragment::literal(role == node_role::source ? "source" : "shard")}})
      .text();
}

std::string grants_sql(node_role role, migration_manifest const& migration) {
  auto const application = sql_fragment::identifier(migration.application_role);
  if (role == node_role::shard) return fill(sql::shard_grants, {{"application_role", application}}).text();
  return fill(sql::source_grants, {{"application_role", application},
                                   {"mirror_role", sql_fragment::identifier(migration.mirror_role)}})
      .text();
}

std::string schema_version_sql() {
  return fill(sql::schema_version, {{"version", sql_fragment::number(schema_version)}}).text();
}

std::string shared_objects_sql(node_role role) {
  auto const& mark = role == node_role::source ? sql::source_mark : sql::shard_mark;
  return absl::StrCat(fill(sql::node_tables, {}).text(), std::string(slot_of_sql()), fill(mark, {}).text(),
                      fill(sql::node_functions, {}).text());
}

std::string catalog_sql() {
  return absl::StrCat(fill(sql::outbox, {}).text(), durable_trigger_sql("shardway.outbox"),
                      fill(sql::catalog, {}).text(), fill(sql::abandon, {}).text());
}

}  // namespace

std::string node_schema_sql(node_role role, std::string_view node_name, migration_manifest const& migration) {
  bool const is_source = role == node_role::source;
  auto const& application = migration.application_role;
  return absl::StrCat(shared_objects_sql(role), is_source ? catalog_sql() : "",
                      operation_schema_sql(application), is_source ? id_block_schema_sql(application) : "",
                      identity_sql(role, node_name, migration), grants_sql(role, migration),
                      schema_version_sql());
}

std::string upgrade_sql(int) { return {}; }

}  // namespace v0
}  // namespace shardway
