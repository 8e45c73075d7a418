#include "lib/migrate/onboard/source_checks.hpp"

#include "lib/migrate/onboard/sql.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

// The server takes an index as identity only if it is valid, unique, immediate and whole. From 18 on it also
// refuses changes where a generated column that is not published belongs to the identity.
constexpr std::string_view identities_sql =
    ", leaves AS (SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.relkind, c.relpersistence, "
    "c.relreplident, (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND "
    "i.indisunique AND i.indimmediate AND i.indpred IS NULL AND CASE c.relreplident WHEN 'i' THEN "
    "i.indisreplident ELSE i.indisprimary END LIMIT 1) AS identity FROM ours JOIN pg_class c USING (oid) "
    "JOIN "
    "pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind <> 'p'),"
    " judged AS (SELECT name, CASE WHEN relkind <> 'r' THEN 'is no ordinary table'"
    " WHEN relpersistence <> 'p' THEN 'is not logged'"
    " WHEN relreplident = 'n' THEN 'has REPLICA IDENTITY NOTHING'"
    " WHEN relreplident = 'd' AND identity IS NULL THEN 'has no primary key that is checked at once "
    "(DEFERRABLE, or none)'"
    " WHEN relreplident = 'i' AND identity IS NULL THEN 'has no usable replica identity index'"
    " WHEN current_setting('server_version_num')::int >= 180000 AND EXISTS (SELECT 1 FROM pg_attribute a "
    "WHERE a.attrelid = leaves.oid AND a.attgenerated <> '' AND NOT a.attisdropped AND (relreplident = 'f' "
    "OR "
    "a.attnum = ANY (SELECT unnest(i.indkey) FROM pg_index i WHERE i.indexrelid = leaves.identity))) THEN "
    "'has a generated column in its replica identity'"
    " END AS problem FROM leaves)"
    " SELECT name || ' ' || problem FROM judged WHERE problem IS NOT NULL ORDER BY 1";

// Names that our statements give to columns beside those of a table.
constexpr std::string_view reserved_sql =
    ", found AS (SELECT 'column ' || quote_ident(a.attname) || ' of ' || format('%I.%I', n.nspname, "
    "c.relname) AS what FROM ours JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_attribute a ON a.attrelid = c.oid WHERE NOT a.attisdropped AND a.attname IN "
    "('_shardway_version', 'shardway_version', 'shardway_ordinal', 'shardway_check', 'shardway_split', "
    "'shardway_one')"
    " UNION ALL SELECT 'trigger ' || quote_ident(t.tgname) || ' of ' || format('%I.%I', n.nspname, "
    "c.relname) "
    "FROM ours JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_trigger t "
    "ON "
    "t.tgrelid = c.oid JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace pn ON pn.oid = p.pronamespace "
    "WHERE (t.tgname IN ('shardway_guard', 'shardway_key_change') OR t.tgname LIKE 'shardway\\_capture%') "
    "AND "
    "pn.nspname <> 'shardway'"
    " UNION ALL SELECT 'index ' || quote_ident(x.relname) || ' of ' || format('%I.%I', n.nspname, c.relname) "
    "FROM ours JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON "
    "i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid WHERE x.relname LIKE "
    "'shardway\\_identity\\_%')"
    " SELECT what FROM found ORDER BY 1";

result<std::vector<std::string>> ask(session& node, std::string_view sql,
                                     std::vector<table_state> const& tables) {
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({std::string(ours_cte) + std::string(sql), {table_array(tables)}}));
  return column_of(found, 0);
}

}  // namespace

result<> check_replica_identities(session& node, std::vector<table_state> const& tables) {
  BOOST_OUTCOME_TRY(auto const problems, ask(node, identities_sql, tables));
  if (problems.empty()) return success();
  return error{
      error_code::precondition_failed,
      "published, these tables would refuse UPDATE and DELETE on node " + node.identity().name +
          ", or lose changes: " + joined(problems, "; "),
      "ALTER TABLE ... REPLICA IDENTITY FULL (or make the primary key NOT DEFERRABLE), ALTER TABLE ... "
      "SET LOGGED, or leave the table out"}
      .at_node(node.identity().name);
}

result<> check_reserved_names(session& source, std::vector<table_state> const& tables) {
  BOOST_OUTCOME_TRY(auto const taken, ask(source, reserved_sql, tables));
  if (taken.empty()) return success();
  return error{error_code::precondition_failed,
               "names that shardway uses itself are taken on node " + source.identity().name + ": " +
                   joined(taken, "; "),
               "rename them: ALTER TABLE ... RENAME COLUMN, ALTER TRIGGER ... RENAME, ALTER INDEX ... RENAME"}
      .at_node(source.identity().name);
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
