#include "lib/migrate/onboard/schema.hpp"

// A shard gets its tables: definitions, keys and unique indexes, what we add, grants.
#include "lib/catalog/guarded.hpp"
#include "lib/migrate/onboard/dump.hpp"
#include "lib/migrate/onboard/indexes.hpp"
#include "lib/migrate/onboard/inspect.hpp"
#include "lib/migrate/onboard/reached.hpp"
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

// What each role of the application may do, however it got the right (its own, by membership, as owner, as
// PUBLIC), and what PUBLIC may do. Written out by the server that has them. A right that only newer servers
// know stays behind. Sequences: those of the tables' columns, and those of $3 (schemas) that belong to no
// column, which a default, a function or a trigger may use (AS5).
constexpr std::string_view grants_sql =
    ", roles AS (SELECT r.oid, r.rolname FROM unnest($2::text[]) AS n (name) JOIN pg_roles r ON r.rolname = "
    "n.name),"
    " owners AS (SELECT d.objid AS sequence, d.refobjid AS relation FROM pg_depend d WHERE d.classid = "
    "'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN "
    "('a', 'i')),"
    " relations AS (SELECT c.oid, c.relkind = 'S' AS is_sequence, format('%I.%I', n.nspname, c.relname) AS "
    "name, c.relacl FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN (SELECT oid "
    "FROM ours) OR (c.relkind = 'S' AND (EXISTS (SELECT 1 FROM owners o JOIN ours ON ours.oid = o.relation "
    "WHERE o.sequence = c.oid) OR (quote_ident(n.nspname) = ANY ($3::text[]) AND NOT EXISTS (SELECT 1 FROM "
    "owners o WHERE o.sequence = c.oid))))),"
    " columns AS (SELECT r.oid, r.name, a.attnum, a.attname, a.attacl FROM relations r JOIN pg_attribute a "
    "ON "
    "a.attrelid = r.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped)"
    " SELECT format('GRANT %s ON TABLE %s TO %I;', p.privilege, t.name, r.rolname) FROM relations t CROSS "
    "JOIN roles r CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', "
    "'TRIGGER']) AS p (privilege) WHERE NOT t.is_sequence AND has_table_privilege(r.oid, t.oid, p.privilege)"
    " UNION SELECT format('GRANT %s ON SEQUENCE %s TO %I;', p.privilege, t.name, r.rolname) FROM relations t "
    "CROSS JOIN roles r CROSS JOIN unnest(ARRAY['SELECT', 'UPDATE', 'USAGE']) AS p (privilege) WHERE "
    "t.is_sequence AND CASE WHEN t.is_sequence THEN has_sequence_privilege(r.oid, t.oid, p.privilege) END"
    " UNION SELECT format('GRANT %s (%I) ON TABLE %s TO %I;', p.privilege, c.attname, c.name, r.rolname) "
    "FROM "
    "columns c CROSS JOIN roles r CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS p "
    "(privilege) WHERE has_column_privilege(r.oid, c.oid, c.attnum, p.privilege) AND NOT "
    "has_table_privilege(r.oid, c.oid, p.privilege)"
    " UNION SELECT format('GRANT %s ON %s %s TO PUBLIC;', g.privilege_type, CASE WHEN t.is_sequence THEN "
    "'SEQUENCE' ELSE 'TABLE' END, t.name) FROM relations t CROSS JOIN LATERAL aclexplode(t.relacl) g WHERE "
    "g.grantee = 0 AND g.privilege_type <> 'MAINTAIN'"
    " UNION SELECT format('GRANT %s (%I) ON TABLE %s TO PUBLIC;', g.privilege_type, c.attname, c.name) FROM "
    "columns c CROSS JOIN LATERAL aclexplode(c.attacl) g WHERE g.grantee = 0 ORDER BY 1";

// Schemas that a role may use on the source.
constexpr std::string_view schema_rights_sql =
    "SELECT quote_ident(n.nspname), r.rolname FROM unnest($1::text[]) AS s (name) JOIN pg_namespace n ON "
    "quote_ident(n.nspname) = s.name CROSS JOIN unnest($2::text[]) AS w (name) JOIN pg_roles r ON r.rolname "
    "= "
    "w.name WHERE has_schema_privilege(r.oid, n.oid, 'USAGE') ORDER BY 1, 2";

result<bool> may_use_schema(session& shard, std::string const& schema, std::string const& role) {
  BOOST_OUTCOME_TRY(auto const found,
                    shard.query({"SELECT 1 WHERE has_schema_privilege($1::name, to_regnamespace($2)::oid, "
                                 "'USAGE')",
                                 {role, schema}}));
  return !found.empty();
}

// Whoever made the database may own the schema, `public` above all: then nothing is granted here, and the
// server only warns (AS3).
result<> carry_schema_right(session& shard, std::string const& schema, std::string const& role,
                            onboard_options const& options) {
  BOOST_OUTCOME_TRY(bool const has_right, may_use_schema(shard, schema, role));
  if (has_right) return success();
  auto const sql = "GRANT USAGE ON SCHEMA " + schema + " TO " + names::quoted(role);
  auto const granted = run_guarded_text(shard, options.token, sql, options.lock_timeout);
  if (!granted && granted.error().code() == error_code::not_leader) return granted.error();
  BOOST_OUTCOME_TRY(bool const may_now, may_use_schema(shard, schema, role));
  if (may_now) return success();
  auto const& node = shard.identity().name;
  return error{error_code::precondition_failed,
               "role " + role + " may use schema " + schema + " on the source and not on node " + node,
               "as its owner on that node: " + sql}
      .at_node(node);
}

result<> carry_grants(session& source, session& shard, migration_manifest const& migration,
                      std::vector<table_state> const& tables, onboard_options const& options) {
  BOOST_OUTCOME_TRY(auto const reached, find_reached(source, tables));
  auto const schemas = text_array(reached.schemas);
  auto const roles = text_array(application_roles(migration));
  BOOST_OUTCOME_TRY(auto const usable, source.query({std::string(schema_rights_sql), {schemas, roles}}));
  for (std::size_t row = 0; row < usable.size(); ++row) {
    BOOST_OUTCOME_TRYV(carry_schema_right(shard, std::string(usable.text(row, 0)),
                                          std::string(usable.text(row, 1)), options));
  }
  BOOST_OUTCOME_TRY(auto const found, source.query({std::string(ours_cte) + std::string(grants_sql),
                                                    {table_array(tables), roles, schemas}}));
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
                        std::vector<std::string> const& groups, grantees const& application,
                        onboard_options const& options, epoch first) {
  auto const prepare = [&](onboard_node const& place, node_role role) -> result<> {
    for (auto const& group : groups) {
      BOOST_OUTCOME_TRYV(
          run_ddl(*place.node, group_sql(role, group, first, application), names::fence(group), options));
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
    BOOST_OUTCOME_TRYV(run_ddl(*shard.node, shard_table_sql(table, migration),
                               names::quoted_table(table.manifest.table), options));
    BOOST_OUTCOME_TRYV(guard_values(*source.node, *shard.node, table, options));
  }
  BOOST_OUTCOME_TRYV(carry_grants(*source.node, *shard.node, migration, tables, options));
  return report;
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
