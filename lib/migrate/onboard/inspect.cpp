// What the generation holds of a table, as a node has it.
#include <algorithm>

#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

constexpr std::string_view columns_sql =
    "SELECT attname, format_type(atttypid, atttypmod), attgenerated <> '', attnotnull, CASE WHEN (SELECT "
    "typtype FROM pg_type t WHERE t.oid ="
    " atttypid) IN ('d', 'e') THEN (WITH RECURSIVE under AS (SELECT t.oid, t.typtype, t.typbasetype, "
    "t.typtypmod, atttypmod AS modifier FROM pg_type"
    " t WHERE t.oid = atttypid UNION ALL SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, u.typtypmod "
    "FROM under u JOIN pg_type t ON t.oid ="
    " u.typbasetype WHERE u.typtype = 'd') SELECT CASE WHEN oid = atttypid THEN 'text' ELSE format_type(oid, "
    "modifier) END FROM under WHERE typtype <> 'd')"
    " ELSE '' END FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND "
    "attname <> $2 ORDER BY attnum";
constexpr std::string_view key_sql =
    "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, "
    "place)"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
    " WHERE i.indrelid = to_regclass($1) AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place";

error table_error(session& node, table_manifest const& manifest, error_code code, std::string what,
                  std::string hint) {
  return error{code, "table " + manifest.table + " on node " + node.identity().name + ": " + std::move(what),
               std::move(hint)}
      .at_node(node.identity().name);
}

bool has_column(table_state const& table, std::string_view name) {
  return std::any_of(table.columns.begin(), table.columns.end(),
                     [&](auto const& column) { return column.name == name; });
}

result<> check_named(session& node, table_state const& table, std::vector<std::string> const& columns,
                     std::string const& field) {
  for (auto const& column : columns)
    if (!has_column(table, column))
      return table_error(node, table.manifest, error_code::precondition_failed,
                         "it has no column " + column + ", which the manifest names in its " + field,
                         "correct the manifest's " + field);
  return success();
}

// Every client would refuse a generation with another type.
result<> check_key_types(session& node, table_state const& table) {
  for (auto const& column : table.columns)
    if (contains(table.manifest.shard_key, column.name) && !key_column_of(column.key_type()))
      return table_error(node, table.manifest, error_code::precondition_failed,
                         "its shard key column " + column.name + " is of type " + column.type,
                         "use an integer type, text, varchar, uuid or bytea, a domain over one, or an enum");
  return success();
}

result<> check_keys(session& node, table_state const& table, std::vector<std::string> const& primary_key) {
  auto const& manifest = table.manifest;
  if (primary_key.empty())
    return table_error(node, manifest, error_code::precondition_failed, "it has no primary key",
                       "ALTER TABLE " + manifest.table + " ADD PRIMARY KEY (...)");
  if (primary_key != manifest.key)
    return table_error(
        node, manifest, error_code::precondition_failed,
        "its primary key is (" + joined(primary_key) + "), the manifest says (" + joined(manifest.key) + ')',
        "correct the manifest's key");
  BOOST_OUTCOME_TRYV(check_named(node, table, manifest.shard_key, "shard_key"));
  BOOST_OUTCOME_TRYV(check_key_types(node, table));
  for (auto const& lookup : manifest.lookups) {
    BOOST_OUTCOME_TRYV(check_named(node, table, lookup.columns, "lookup " + lookup.name));
  }
  return check_named(node, table, manifest.classified_columns, "classified_column");
}

}  // namespace

result<table_state> inspect_table(session& node, table_manifest const& manifest) {
  auto const qualified = names::quoted_table(manifest.table);
  statement const questions[]{
      {"SELECT relkind FROM pg_class WHERE oid = to_regclass($1) AND relkind IN ('r', 'p')", {qualified}},
      {std::string(columns_sql), {qualified, std::string(names::version_column)}},
      {std::string(key_sql), {qualified}}};
  BOOST_OUTCOME_TRY(auto answers, node.flush(questions));
  for (auto const& answer : answers)
    if (!answer) return answer.error().while_doing("inspecting " + manifest.table);
  auto const& kind = answers[0].value();
  if (kind.empty())
    return table_error(node, manifest, error_code::unknown_table, "there is no such table",
                       "correct the name in the manifest");
  table_state out{.manifest = manifest, .columns = {}, .partitioned = kind.text(0, 0) == "p"};
  auto const& columns = answers[1].value();
  for (std::size_t row = 0; row < columns.size(); ++row)
    out.columns.push_back({std::string(columns.text(row, 0)), std::string(columns.text(row, 1)),
                           columns.boolean(row, 2), columns.boolean(row, 3),
                           std::string(columns.text(row, 4))});
  BOOST_OUTCOME_TRYV(check_keys(node, out, column_of(answers[2].value(), 0)));
  return out;
}

result<std::vector<std::string>> table_leaves(session& node, std::string_view relation) {
  BOOST_OUTCOME_TRY(
      auto const found,
      node.query({"SELECT n.nspname || '.' || c.relname FROM pg_partition_tree(to_regclass($1)) t"
                  " JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace"
                  " WHERE t.isleaf AND t.level > 0 ORDER BY 1",
                  {names::quoted_table(relation)}}));
  return column_of(found, 0);
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
