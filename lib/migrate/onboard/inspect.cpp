// What a table looks like on a node, and whether two nodes agree.
#include <algorithm>

#include <absl/strings/str_cat.h>

#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/key_text.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

// Each query answers for all wanted tables at once: place is the table's in the list.
constexpr std::string_view wanted_cte =
    "WITH wanted AS (SELECT n.place, c.oid, c.relkind FROM unnest($1::text[]) WITH ORDINALITY AS n (name, "
    "place)"
    " JOIN pg_class c ON c.oid = to_regclass(n.name) WHERE c.relkind IN ('r', 'p')) ";
constexpr std::string_view kinds_sql = "SELECT place, relkind FROM wanted ORDER BY place";
constexpr std::string_view columns_sql =
    "SELECT w.place, attname, format_type(atttypid, atttypmod), attgenerated <> '', attnotnull, CASE WHEN "
    "(SELECT "
    "typtype FROM pg_type t WHERE t.oid ="
    " atttypid) IN ('d', 'e') THEN (WITH RECURSIVE under AS (SELECT t.oid, t.typtype, t.typbasetype, "
    "t.typtypmod, atttypmod AS modifier FROM pg_type"
    " t WHERE t.oid = atttypid UNION ALL SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, u.typtypmod "
    "FROM under u JOIN pg_type t ON t.oid ="
    " u.typbasetype WHERE u.typtype = 'd') SELECT CASE WHEN oid = atttypid THEN 'text' ELSE format_type(oid, "
    "modifier) END FROM under WHERE typtype <> 'd')"
    " ELSE '' END FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT "
    "a.attisdropped "
    "AND a.attname <> $2 ORDER BY w.place, a.attnum";
constexpr std::string_view keys_sql =
    "SELECT w.place, a.attname FROM wanted w JOIN pg_index i ON i.indrelid = w.oid AND i.indisprimary CROSS "
    "JOIN"
    " LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
    " WHERE k.place <= i.indnkeyatts ORDER BY w.place, k.place";

constexpr std::string_view nondeterministic_sql =
    "SELECT w.place, a.attname FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND "
    "NOT"
    " a.attisdropped JOIN pg_collation l ON l.oid = a.attcollation WHERE NOT l.collisdeterministic"
    " ORDER BY w.place, a.attnum";

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

struct found_table {
  table_state state{};
  std::vector<std::string> primary_key{};
  std::vector<std::string> nondeterministic{};  // columns by their collation
  bool is_there{};
};

struct inspection {
  rows const &kinds, &columns, &keys, &nondeterministic;
};

/// The answers of the queries, by table.
result<std::vector<found_table>> tables_of(std::vector<table_manifest> const& manifests,
                                           inspection const& answers) {
  auto const& [kinds, columns, keys, nondeterministic] = answers;
  std::vector<found_table> out;
  for (auto const& manifest : manifests) out.push_back({.state = {.manifest = manifest, .columns = {}}});
  auto const table_of = [&](rows const& answer, std::size_t row) -> result<found_table*> {
    BOOST_OUTCOME_TRY(auto const place, answer.integer(row, 0));
    return &out[static_cast<std::size_t>(place - 1)];
  };
  for (std::size_t row = 0; row < kinds.size(); ++row) {
    BOOST_OUTCOME_TRY(auto* table, table_of(kinds, row));
    table->is_there = true;
    table->state.partitioned = kinds.text(row, 1) == "p";
  }
  for (std::size_t row = 0; row < columns.size(); ++row) {
    BOOST_OUTCOME_TRY(auto* table, table_of(columns, row));
    table->state.columns.push_back({std::string(columns.text(row, 1)), std::string(columns.text(row, 2)),
                                    columns.boolean(row, 3), columns.boolean(row, 4),
                                    std::string(columns.text(row, 5))});
  }
  for (std::size_t row = 0; row < keys.size(); ++row) {
    BOOST_OUTCOME_TRY(auto* table, table_of(keys, row));
    table->primary_key.emplace_back(keys.text(row, 1));
  }
  for (std::size_t row = 0; row < nondeterministic.size(); ++row) {
    BOOST_OUTCOME_TRY(auto* table, table_of(nondeterministic, row));
    table->nondeterministic.emplace_back(nondeterministic.text(row, 1));
  }
  return out;
}

}  // namespace

result<std::vector<table_state>> inspect_tables(session& node, std::vector<table_manifest> const& manifests) {
  if (manifests.empty()) return std::vector<table_state>{};
  std::vector<std::string> names;
  for (auto const& manifest : manifests) names.push_back(names::quoted_table(manifest.table));
  auto const wanted = text_array(names);
  statement const questions[]{
      {absl::StrCat(std::string(wanted_cte), std::string(kinds_sql)), {wanted}},
      {absl::StrCat(std::string(wanted_cte), std::string(columns_sql)),
       {wanted, std::string(names::version_column)}},
      {absl::StrCat(std::string(wanted_cte), std::string(keys_sql)), {wanted}},
      {absl::StrCat(std::string(wanted_cte), std::string(nondeterministic_sql)), {wanted}}};
  BOOST_OUTCOME_TRY(auto const answers, node.flush(questions));
  for (auto const& answer : answers)
    if (!answer)
      return answer.error().while_doing(manifests.size() == 1 ? "inspecting " + manifests.front().table
                                                              : std::string("inspecting the tables"));
  BOOST_OUTCOME_TRY(auto found, tables_of(manifests, {answers[0].value(), answers[1].value(),
                                                      answers[2].value(), answers[3].value()}));
  std::vector<table_state> out;
  for (auto& table : found) {
    if (!table.is_there)
      return table_error(node, table.state.manifest, error_code::unknown_table, "there is no such table",
                         "correct the name in the manifest");
    BOOST_OUTCOME_TRYV(check_keys(node, table.state, table.primary_key, table.nondeterministic));
    out.push_back(std::move(table.state));
  }
  return out;
}

result<table_state> inspect_table(session& node, table_manifest const& manifest) {
  BOOST_OUTCOME_TRY(auto found, inspect_tables(node, {manifest}));
  return std::move(found.front());
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
