// What the generation holds of a table, as a node has it.
#include <algorithm>

#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/key_text.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/first_error.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

// Each query answers for all tables of $1, quoted and qualified; column 0 is the number of the table.
constexpr std::string_view wanted_cte =
    "WITH wanted AS (SELECT w.n, c.oid, c.relkind FROM unnest($1::text[]) WITH ORDINALITY AS w (name, n) "
    "JOIN pg_class "
    "c ON c.oid = to_regclass(w.name) WHERE c.relkind IN ('r', 'p'))";
constexpr std::string_view kinds_sql = " SELECT n, relkind FROM wanted ORDER BY n";
constexpr std::string_view columns_sql =
    " SELECT w.n, attname, format_type(atttypid, atttypmod), attgenerated <> '', attnotnull, CASE WHEN "
    "(SELECT "
    "typtype FROM pg_type t WHERE t.oid ="
    " atttypid) IN ('d', 'e') THEN (WITH RECURSIVE under AS (SELECT t.oid, t.typtype, t.typbasetype, "
    "t.typtypmod, atttypmod AS modifier FROM pg_type"
    " t WHERE t.oid = atttypid UNION ALL SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, u.typtypmod "
    "FROM under u JOIN pg_type t ON t.oid ="
    " u.typbasetype WHERE u.typtype = 'd') SELECT CASE WHEN oid = atttypid THEN 'text' ELSE format_type(oid, "
    "modifier) END FROM under WHERE typtype <> 'd')"
    " ELSE '' END FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT "
    "a.attisdropped AND "
    "a.attname <> $2 ORDER BY w.n, a.attnum";
constexpr std::string_view key_sql =
    " SELECT w.n, a.attname FROM wanted w JOIN pg_index i ON i.indrelid = w.oid AND i.indisprimary CROSS "
    "JOIN LATERAL "
    "unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
    " WHERE k.place <= i.indnkeyatts ORDER BY w.n, k.place";
constexpr std::string_view nondeterministic_sql =
    " SELECT w.n, a.attname FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT "
    "a.attisdropped JOIN pg_collation c ON c.oid = a.attcollation AND NOT c.collisdeterministic ORDER BY "
    "w.n, "
    "a.attnum";

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

}  // namespace

namespace {

std::string quoted_names(std::vector<table_manifest> const& manifests) {
  std::vector<std::string> names;
  for (auto const& manifest : manifests) names.push_back(names::quoted_table(manifest.table));
  return text_array(names);
}

struct inspected_table {
  table_state state;
  std::vector<std::string> primary_key{};
  std::vector<std::string> nondeterministic{};  ///< columns under a collation that is not deterministic
  bool is_there{};
};

/// Column 0 of an answer is the number of a table, from 1.
result<inspected_table*> table_of(std::vector<inspected_table>& tables, rows const& answer, std::size_t row) {
  BOOST_OUTCOME_TRY(auto const number, answer.integer(row, 0));
  return &tables[static_cast<std::size_t>(number) - 1];
}

result<std::vector<inspected_table>> ask_about(session& node, std::vector<table_manifest> const& manifests) {
  auto const names = quoted_names(manifests);
  std::string const wanted(wanted_cte);
  statement const questions[]{
      {wanted + std::string(kinds_sql), {names}},
      {wanted + std::string(columns_sql), {names, std::string(names::version_column)}},
      {wanted + std::string(key_sql), {names}},
      {wanted + std::string(nondeterministic_sql), {names}}};
  BOOST_OUTCOME_TRY(auto answers, node.flush(questions));
  BOOST_OUTCOME_TRYV(first_error(answers));
  std::vector<inspected_table> tables;
  for (auto const& manifest : manifests) tables.push_back({.state = {.manifest = manifest, .columns = {}}});
  auto const& kinds = answers[0].value();
  for (std::size_t row = 0; row < kinds.size(); ++row) {
    BOOST_OUTCOME_TRY(auto* table, table_of(tables, kinds, row));
    table->is_there = true;
    table->state.partitioned = kinds.text(row, 1) == "p";
  }
  auto const& columns = answers[1].value();
  for (std::size_t row = 0; row < columns.size(); ++row) {
    BOOST_OUTCOME_TRY(auto* table, table_of(tables, columns, row));
    table->state.columns.push_back({std::string(columns.text(row, 1)), std::string(columns.text(row, 2)),
                                    columns.boolean(row, 3), columns.boolean(row, 4),
                                    std::string(columns.text(row, 5))});
  }
  auto const& keys = answers[2].value();
  for (std::size_t row = 0; row < keys.size(); ++row) {
    BOOST_OUTCOME_TRY(auto* table, table_of(tables, keys, row));
    table->primary_key.emplace_back(keys.text(row, 1));
  }
  auto const& collations = answers[3].value();
  for (std::size_t row = 0; row < collations.size(); ++row) {
    BOOST_OUTCOME_TRY(auto* table, table_of(tables, collations, row));
    table->nondeterministic.emplace_back(collations.text(row, 1));
  }
  return tables;
}

}  // namespace

result<std::vector<table_state>> inspect_tables(session& node, std::vector<table_manifest> const& manifests) {
  if (manifests.empty()) return std::vector<table_state>();
  auto asked = ask_about(node, manifests);
  if (!asked)
    return asked.error().while_doing("inspecting " + manifests.front().table +
                                     (manifests.size() == 1 ? "" : " and others"));
  std::vector<table_state> states;
  for (auto& table : asked.value()) {
    if (!table.is_there)
      return table_error(node, table.state.manifest, error_code::unknown_table, "there is no such table",
                         "correct the name in the manifest");
    BOOST_OUTCOME_TRYV(check_keys(node, table.state, table.primary_key, table.nondeterministic));
    states.push_back(std::move(table.state));
  }
  return states;
}

result<table_state> inspect_table(session& node, table_manifest const& manifest) {
  BOOST_OUTCOME_TRY(auto states, inspect_tables(node, {manifest}));
  return std::move(states.front());
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
