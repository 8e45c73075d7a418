#include "lib/migrate/onboard/schema.hpp"

// A shard gets its tables: definitions, keys and unique indexes, what we add, grants.
#include "lib/catalog/guarded.hpp"
#include "lib/migrate/onboard/dump.hpp"
#include "lib/migrate/onboard/indexes.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/migrate/onboard/table_shape.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "lib/protocol/value_guard.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

result<std::vector<std::string>> missing_tables(session& shard, std::vector<table_state> const& tables) {
  std::vector<std::string> names;
  for (auto const& table : tables) names.push_back(table.manifest.table);
  BOOST_OUTCOME_TRY(auto const found,
                    shard.query({"SELECT plain FROM unnest($1::text[], $2::text[]) AS n (quoted, plain) WHERE"
                                 " to_regclass(quoted) IS NULL",
                                 {table_array(tables), text_array(names)}}));
  return column_of(found, 0);
}

// Rights of the application role and of PUBLIC, as the server that has them writes them. A right that only
// newer servers know is not copied.
constexpr std::string_view grants_sql =
    ", things AS (SELECT 'TABLE' AS kind, format('%I.%I', n.nspname, c.relname) AS name, c.relacl AS acl, '' "
    "AS columns FROM ours JOIN"
    " pg_class c USING (oid)"
    "   JOIN pg_namespace n ON n.oid = c.relnamespace"
    " UNION ALL SELECT 'TABLE', format('%I.%I', n.nspname, c.relname), a.attacl, format(' (%I)', a.attname) "
    "FROM ours JOIN pg_class c USING"
    " (oid)"
    "   JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid WHERE "
    "a.attacl IS NOT NULL AND NOT"
    " a.attisdropped"
    " UNION ALL SELECT 'SEQUENCE', format('%I.%I', n.nspname, c.relname), c.relacl, '' FROM ours JOIN "
    "pg_depend d ON d.refobjid = ours.oid"
    "   AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', "
    "'i') JOIN pg_class c ON c.oid ="
    " d.objid"
    "   AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace"
    " UNION ALL SELECT DISTINCT 'SCHEMA', quote_ident(n.nspname), n.nspacl, '' FROM ours JOIN pg_class c "
    "USING (oid) JOIN pg_namespace n ON"
    " n.oid = c.relnamespace)"
    " SELECT DISTINCT format('GRANT %s%s ON %s %s TO %s;', g.privilege_type, t.columns, t.kind, t.name,"
    "   CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident($2) END)"
    " FROM things t CROSS JOIN LATERAL aclexplode(t.acl) g WHERE g.privilege_type <> 'MAINTAIN'"
    " AND (g.grantee = 0 OR g.grantee = (SELECT oid FROM pg_roles WHERE rolname = $2)) ORDER BY 1";

result<> carry_grants(session& source, session& shard, migration_manifest const& migration,
                      std::vector<table_state> const& tables, onboard_options const& options) {
  BOOST_OUTCOME_TRY(auto const found, source.query({std::string(ours_cte) + std::string(grants_sql),
                                                    {table_array(tables), migration.application_role}}));
  if (found.empty()) return success();
  auto const done =
      run_guarded_text(shard, options.token, joined(column_of(found, 0), "\n"), options.lock_timeout);
  if (!done) return done.error().while_doing("granting the application's rights");
  return success();
}

// Once: a new constraint reads the table.
result<> guard_values(session& source, session& shard, table_state const& table,
                      onboard_options const& options) {
  auto const sql = value_guard_sql(table, source.identity().server_version, shard.identity().server_version);
  auto const relation = names::quoted_table(table.manifest.table);
  if (sql.empty()) return success();
  BOOST_OUTCOME_TRY(auto const found,
                    shard.query({.sql = "SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = "
                                        "pg_catalog.to_regclass($1) AND conname = $2",
                                 .parameters = {relation, std::string(value_guard_name)}}));
  if (!found.empty()) return success();
  return run_ddl(shard, sql, relation, options);
}

}  // namespace

result<> prepare_groups(onboard_node const& source, std::vector<onboard_node> const& shards,
                        std::vector<std::string> const& groups, std::string const& application_role,
                        onboard_options const& options, epoch first) {
  auto const prepare = [&](onboard_node const& place, node_role role) -> result<> {
    for (auto const& group : groups) {
      BOOST_OUTCOME_TRYV(run_ddl(*place.node, group_sql(role, group, first, application_role),
                                 names::fence(group), options));
    }
    return success();
  };
  for (auto const& shard : shards) {
    BOOST_OUTCOME_TRYV(prepare(shard, node_role::shard));
  }
  return prepare(source, node_role::source);
}

result<schema_report> create_schema_on_shard(onboard_node const& source, onboard_node const& shard,
                                             migration_manifest const& migration,
                                             std::vector<table_state> const& tables,
                                             onboard_options const& options) {
  schema_report report;
  BOOST_OUTCOME_TRY(report.created, missing_tables(*shard.node, tables));
  if (!report.created.empty()) {
    BOOST_OUTCOME_TRYV(copy_definitions(source, shard, tables, options, report.skipped));
  }
  BOOST_OUTCOME_TRYV(create_keys(*source.node, *shard.node, tables, options));
  BOOST_OUTCOME_TRYV(
      require_same_shape(*source.node, *shard.node, tables, {.shard = shard.name, .finished = false}));
  for (auto const& table : tables) {
    BOOST_OUTCOME_TRYV(run_ddl(*shard.node, shard_table_sql(table, migration.application_role),
                               names::quoted_table(table.manifest.table), options));
    BOOST_OUTCOME_TRYV(guard_values(*source.node, *shard.node, table, options));
  }
  BOOST_OUTCOME_TRYV(carry_grants(*source.node, *shard.node, migration, tables, options));
  return report;
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
