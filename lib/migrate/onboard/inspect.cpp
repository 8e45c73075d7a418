// What a table looks like on a node, and whether two nodes agree.
#include <algorithm>

#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/key_text.hpp"
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

bool is_in_lookup(table_manifest const& manifest, std::string_view column) {
  return std::any_of(manifest.lookups.begin(), manifest.lookups.end(),
                     [&](lookup_index const& lookup) { return contains(lookup.columns, column); });
}

constexpr char routed_types[] =
    "use an integer type, text, varchar, uuid or bytea, a domain over one, or an enum";

// Every client would refuse a generation with another type of shard key. A key that has two texts is
// two rows to key locks, receipts and the outbox (AP2, AP9, AP20).
result<> check_key_type(session& node, table_state const& table, column_state const& column) {
  auto const& manifest = table.manifest;
  auto const refused = [&](std::string const& what, std::string const& hint) {
    return table_error(node, manifest, error_code::precondition_failed,
                       "its " + what + " column " + column.name + " is of type " + column.type, hint);
  };
  bool const can_route = key_column_of(column.key_type()).has_value();
  if (contains(manifest.shard_key, column.name) && !can_route) return refused("shard key", routed_types);
  if (is_in_lookup(manifest, column.name) && !can_route) return refused("lookup", routed_types);
  if (contains(manifest.key, column.name) && !is_key_type(column.key_type()))
    return refused("primary key",
                   "equal values of it have several texts, or its text follows settings; use " +
                       std::string(key_types_in_words()));
  return success();
}

result<> check_key_types(session& node, table_state const& table,
                         std::vector<std::string> const& nondeterministic) {
  auto const& manifest = table.manifest;
  for (auto const& column : table.columns) {
    BOOST_OUTCOME_TRYV(check_key_type(node, table, column));
    bool const is_key = contains(manifest.key, column.name) || contains(manifest.shard_key, column.name) ||
                        is_in_lookup(manifest, column.name);
    if (is_key && contains(nondeterministic, column.name))
      return table_error(node, manifest, error_code::precondition_failed,
                         "the collation of its key column " + column.name +
                             " is not deterministic: different texts are one key",
                         "give the column a deterministic collation");
  }
  return success();
}

result<> check_keys(session& node, table_state const& table, std::vector<std::string> const& primary_key,
                    std::vector<std::string> const& nondeterministic) {
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
  BOOST_OUTCOME_TRYV(check_key_types(node, table, nondeterministic));
  for (auto const& lookup : manifest.lookups) {
    BOOST_OUTCOME_TRYV(check_named(node, table, lookup.columns, "lookup " + lookup.name));
  }
  return check_named(node, table, manifest.classified_columns, "classified_column");
}

std::string describe(column_state const& column) {
  return column.type + (column.not_null ? " NOT NULL" : "") + (column.generated ? " GENERATED" : "");
}

column_state const* find_column(table_state const& table, std::string_view name) {
  for (auto const& column : table.columns)
    if (column.name == name) return &column;
  return nullptr;
}

std::vector<std::string> differences(table_state const& source, table_state const& shard) {
  std::vector<std::string> out;
  for (auto const& column : source.columns) {
    auto const* other = find_column(shard, column.name);
    if (!other)
      out.push_back("column " + column.name + " is missing on the shard");
    else if (*other != column)
      out.push_back("column " + column.name + " is " + describe(column) + " on the source, " +
                    describe(*other) + " on the shard");
  }
  for (auto const& column : shard.columns)
    if (!find_column(source, column.name)) out.push_back("column " + column.name + " is on the shard only");
  if (source.partitioned != shard.partitioned) out.push_back("it is partitioned on one side only");
  return out;
}

}  // namespace

result<table_state> inspect_table(session& node, table_manifest const& manifest) {
  auto const qualified = names::quoted_table(manifest.table);
  statement const questions[]{
      {"SELECT relkind FROM pg_class WHERE oid = to_regclass($1) AND relkind IN ('r', 'p')", {qualified}},
      {std::string(columns_sql), {qualified, std::string(names::version_column)}},
      {std::string(key_sql), {qualified}},
      {std::string(nondeterministic_keys_sql()), {qualified}}};
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
  BOOST_OUTCOME_TRYV(
      check_keys(node, out, column_of(answers[2].value(), 0), column_of(answers[3].value(), 0)));
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

result<> compare_schema(session& source, session& shard, table_state const& table) {
  BOOST_OUTCOME_TRY(auto const here, inspect_table(source, table.manifest));
  BOOST_OUTCOME_TRY(auto const there, inspect_table(shard, table.manifest));
  auto const found = differences(here, there);
  if (found.empty()) return success();
  return error{error_code::schema_drift,
               "table " + table.manifest.table + " differs between source and " + shard.identity().name +
                   ": " + joined(found, "; "),
               "bring both to the same shape, then go on"}
      .at_node(shard.identity().name);
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
