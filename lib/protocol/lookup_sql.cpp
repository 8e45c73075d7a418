// SQL of lookups.
#include <set>

#include "absl/strings/str_cat.h"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/lookup.hpp"
#include "lib/protocol/lookup_text.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/sql_template.hpp"
#include "lib/store/text_array.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {
using namespace lookup_text;

namespace {

constexpr std::size_t locks_a_lookup = 1024;  // one per value would exhaust the lock table in a mass insert

// "t.v1 = $1::bigint AND t.v2 = ...", and the number of the next parameter.
std::string value_match(lookup_of_table const& lookup, std::size_t first) {
  std::string sql;
  for (std::size_t i = 0; i < lookup.lookup->columns.size(); ++i)
    sql +=
        (i ? " AND t." : "t.") + value_column(i) + " = $" + number(first + i) + "::" + stored_type(lookup, i);
  return sql;
}

std::vector<text_value> value_parameters(std::vector<std::string> const& texts) {
  return {texts.begin(), texts.end()};
}

// "t.email = $1::text AND ...": columns of the base table against parameters of their own types.
std::string base_match(table_state const& table, std::vector<std::string> const& columns, std::size_t first) {
  std::string sql;
  for (std::size_t i = 0; i < columns.size(); ++i)
    sql += (i ? " AND t." : "t.") + names::quoted(columns[i]) + " = $" + number(first + i) +
           "::" + type_of(table, columns[i]);
  return sql;
}

void append(std::vector<text_value>& parameters, std::vector<std::string> const& more) {
  parameters.insert(parameters.end(), more.begin(), more.end());
}

}  // namespace

std::string lookup_table_sql(lookup_of_table const& lookup, std::string_view application_role) {
  std::vector<sql_fragment> columns, key;
  for (std::size_t i = 0; i < lookup.lookup->columns.size(); ++i) {
    auto const type = stored_type(lookup, i);
    auto const* collation = type == "text" ? " COLLATE \"C\"" : "";
    columns.push_back(
        sql_fragment::of_quoted(absl::StrCat(value_column(i), " ", type, collation, " NOT NULL")));
    key.push_back(sql_fragment::of_quoted(value_column(i)));
  }
  if (!lookup.lookup->unique) key.push_back(sql_fragment::of_quoted("shard_key"));
  return fill(sql::lookup_table, {{"mappings", sql_fragment::of_quoted(mapping_table(lookup))},
                                  {"columns", joined(columns, ",\n  ")},
                                  {"key", joined(key, ", ")},
                                  {"application_role", sql_fragment::identifier(application_role)}})
      .text();
}

std::string lookup_state_sql(std::string_view application_role) {
  return fill(sql::lookup_state, {{"application_role", sql_fragment::identifier(application_role)}}).text();
}

statement lookup_lock_statement(lookup_of_table const& lookup, std::vector<slot_id> const& slots,
                                bool exclusive) {
  std::set<std::size_t> sorted;
  for (auto const slot : slots) sorted.insert(slot.value() % locks_a_lookup);
  std::vector<std::string> numbers;
  for (auto const one : sorted) numbers.push_back(number(one));
  auto const* function = exclusive ? "pg_advisory_xact_lock" : "pg_advisory_xact_lock_shared";
  return named(
      "SELECT pg_catalog." + std::string(function) +
          "(shardway.key_lock_class($1::text), u.slot) FROM pg_catalog.unnest($2::int4[]) AS u (slot)",
      {"lookup " + lookup.table->manifest.table + '.' + lookup.lookup->name, text_array(numbers)});
}

// Sorted, so that two writers cannot deadlock.
statement lookup_insert_statement(std::span<lookup_entry const> entries) {
  auto const& lookup = entries.front().lookup;
  std::string columns, values;
  for (std::size_t i = 0; i < lookup.lookup->columns.size(); ++i) {
    columns += value_column(i) + ", ";
    values += "u." + value_column(i) + "::" + stored_type(lookup, i) + ", ";
  }
  return named("INSERT INTO " + mapping_table(lookup) + " (" + columns + "shard_key, row_key) SELECT " +
                   values + "u.s::text[], u.k::text[] FROM " + entries_from(lookup) +
                   " ORDER BY 1, u.s, u.at ON CONFLICT DO NOTHING",
               entry_parameters(entries));
}

statement lookup_holders_statement(std::span<lookup_entry const> entries) {
  auto const& lookup = entries.front().lookup;
  std::string match;
  for (std::size_t i = 0; i < lookup.lookup->columns.size(); ++i)
    match +=
        (i ? " AND t." : "t.") + value_column(i) + " = u." + value_column(i) + "::" + stored_type(lookup, i);
  return named("SELECT " + element_list("t.shard_key", lookup.table->manifest.shard_key.size()) + ", " +
                   element_list("t.row_key", lookup.table->manifest.key.size()) + " FROM " +
                   entries_from(lookup) + " LEFT JOIN " + mapping_table(lookup) + " AS t ON " + match +
                   " ORDER BY u.at",
               entry_parameters(entries));
}

statement lookup_takeover_statement(lookup_entry const& entry, lookup_owner const& holder) {
  auto const next = entry.texts.size() + 1;
  auto parameters = value_parameters(entry.texts);
  for (auto const* owner : {&entry.owner, &holder})
    append(parameters, {text_array(owner->shard_key), text_array(owner->row_key)});
  return named("UPDATE " + mapping_table(entry.lookup) + " AS t SET shard_key = $" + number(next) +
                   "::text[], row_key = $" + number(next + 1) + "::text[] WHERE " +
                   value_match(entry.lookup, 1) + " AND t.shard_key = $" + number(next + 2) +
                   "::text[] AND t.row_key = $" + number(next + 3) + "::text[]",
               std::move(parameters));
}

statement lookup_remove_statement(lookup_entry const& entry) {
  auto const next = entry.texts.size() + 1;
  auto parameters = value_parameters(entry.texts);
  append(parameters, {text_array(entry.owner.shard_key), text_array(entry.owner.row_key)});
  return named("DELETE FROM " + mapping_table(entry.lookup) + " AS t WHERE " + value_match(entry.lookup, 1) +
                   " AND t.shard_key = $" + number(next) + "::text[] AND t.row_key = $" + number(next + 1) +
                   "::text[]",
               std::move(parameters));
}

statement lookup_find_statement(lookup_of_table const& lookup, std::vector<std::string> const& value,
                                std::size_t limit) {
  return named("SELECT " + element_list("t.shard_key", lookup.table->manifest.shard_key.size()) + " FROM " +
                   mapping_table(lookup) + " AS t WHERE " + value_match(lookup, 1) +
                   " ORDER BY t.shard_key LIMIT " + number(limit),
               value_parameters(value));
}

statement lookup_ready_statement(lookup_of_table const& lookup) {
  return named(
      "SELECT coalesce((SELECT l.is_ready FROM shardway.lookup l WHERE l.relation = $1::text AND l.name = "
      "$2::text), false)",
      {lookup.table->manifest.table, lookup.lookup->name});
}

statement source_find_statement(lookup_of_table const& lookup, std::vector<std::string> const& value,
                                std::size_t limit) {
  auto const& table = *lookup.table;
  auto const list = text_list(table.manifest.shard_key, "t.");
  return named("SELECT DISTINCT " + list + " FROM " + names::quoted_table(table.manifest.table) +
                   " AS t WHERE " + base_match(table, lookup.lookup->columns, 1) + " ORDER BY " + list +
                   " LIMIT " + number(limit),
               value_parameters(value));
}

statement all_open_statement(std::string_view group) {
  return named("SELECT coalesce(pg_catalog.bool_and(f.is_open), false) FROM " + names::fence(group) + " f",
               {});
}

statement row_holds_statement(lookup_of_table const& lookup, std::vector<std::string> const& value,
                              lookup_owner const& owner) {
  auto const& table = *lookup.table;
  auto parameters = value_parameters(value);
  auto sql = "SELECT 1 FROM " + names::quoted_table(table.manifest.table) + " AS t WHERE " +
             base_match(table, lookup.lookup->columns, 1) + " AND " +
             base_match(table, table.manifest.shard_key, parameters.size() + 1);
  append(parameters, owner.shard_key);
  if (lookup.lookup->unique) {
    sql += " AND " + base_match(table, table.manifest.key, parameters.size() + 1);
    append(parameters, owner.row_key);
  }
  return named(sql + " LIMIT 1", std::move(parameters));
}

}  // namespace v0
}  // namespace shardway
