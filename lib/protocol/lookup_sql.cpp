// SQL of lookups.
#include <set>

#include "absl/strings/str_cat.h"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/durable_commit.hpp"
#include "lib/protocol/key_text.hpp"
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

using fragment = sql_fragment;

constexpr std::size_t locks_a_lookup = 1024;  // one per value would exhaust the lock table in a mass insert

// "t.v1 = $1::bigint AND t.v2 = $2::text": a mapping and the first parameters.
fragment value_match(lookup_of_table const& lookup) {
  return list_of(width_of(lookup), " AND ", [&](std::size_t i) {
    return absl::StrCat("t.", value_column(i), " = ", parameter(i), "::", stored_type(lookup, i));
  });
}

std::vector<text_value> value_parameters(std::vector<std::string> const& texts) {
  return {texts.begin(), texts.end()};
}

// "t.email = $1::text AND ...": columns of the base table against parameters of their own types.
fragment base_match(table_state const& table, std::vector<std::string> const& columns, std::size_t first) {
  return list_of(columns.size(), " AND ", [&](std::size_t i) {
    return absl::StrCat("t.", names::quoted(columns[i]), " = ", parameter(first + i),
                        "::", type_of(table, columns[i]));
  });
}

void append(std::vector<text_value>& parameters, std::vector<std::string> const& more) {
  parameters.insert(parameters.end(), more.begin(), more.end());
}

fragment shard_key_elements(lookup_of_table const& lookup) {
  return element_list("t.shard_key", lookup.table->manifest.shard_key.size());
}

}  // namespace

std::string lookup_table_sql(lookup_of_table const& lookup, std::string_view application_role) {
  std::vector<fragment> columns, key;
  for (std::size_t i = 0; i < width_of(lookup); ++i) {
    auto const type = stored_type(lookup, i);
    auto const* collation = type == "text" ? " COLLATE \"C\"" : "";
    columns.push_back(fragment::of_quoted(absl::StrCat(value_column(i), " ", type, collation, " NOT NULL")));
    key.push_back(fragment::of_quoted(value_column(i)));
  }
  if (!lookup.lookup->unique) key.push_back(fragment::of_quoted("shard_key"));
  auto const mappings = mapping_table(lookup);
  auto const made = fill(sql::lookup_table, {{"mappings", mappings},
                                             {"columns", joined(columns, ",\n  ")},
                                             {"key", joined(key, ", ")},
                                             {"application_role", fragment::identifier(application_role)}});
  return made.text() + durable_trigger_sql(mappings.text());
}

std::string lookup_state_sql(std::string_view application_role) {
  return fill(sql::lookup_state, {{"application_role", fragment::identifier(application_role)}}).text();
}

statement lookup_lock_statement(lookup_of_table const& lookup, std::vector<slot_id> const& slots,
                                bool exclusive) {
  std::set<std::size_t> sorted;
  for (auto const slot : slots) sorted.insert(slot.value() % locks_a_lookup);
  std::vector<std::string> numbers;
  for (auto const one : sorted) numbers.push_back(absl::StrCat(one));
  auto const* function = exclusive ? "pg_advisory_xact_lock" : "pg_advisory_xact_lock_shared";
  return filled_statement(
      sql::lookup_lock, {{"lock_function", fragment::of_quoted(function)}},
      {absl::StrCat("lookup ", lookup.table->manifest.table, ".", lookup.lookup->name), text_array(numbers)});
}

statement lookup_insert_statement(std::span<lookup_entry const> entries) {
  auto const& lookup = entries.front().lookup;
  auto const values = list_of(width_of(lookup), ", ", [&](std::size_t i) {
    return absl::StrCat("u.", value_column(i), "::", stored_type(lookup, i));
  });
  return filled_statement(sql::lookup_insert,
                          {{"mappings", mapping_table(lookup)},
                           {"value_columns", value_columns(lookup)},
                           {"values", values},
                           {"arrays", entry_arrays(lookup)}},
                          entry_parameters(entries));
}

statement lookup_holders_statement(std::span<lookup_entry const> entries) {
  auto const& lookup = entries.front().lookup;
  return filled_statement(sql::lookup_holders,
                          {{"mappings", mapping_table(lookup)},
                           {"shard_key", shard_key_elements(lookup)},
                           {"row_key", element_list("t.row_key", lookup.table->manifest.key.size())},
                           {"value_columns", value_columns(lookup)},
                           {"arrays", entry_arrays(lookup)},
                           {"value_match", entry_match(lookup)}},
                          entry_parameters(entries));
}

statement lookup_takeover_statement(lookup_entry const& entry, lookup_owner const& holder) {
  auto const next = entry.texts.size();
  auto parameters = value_parameters(entry.texts);
  for (auto const* owner : {&entry.owner, &holder})
    append(parameters, {text_array(owner->shard_key), text_array(owner->row_key)});
  return filled_statement(sql::lookup_takeover,
                          {{"mappings", mapping_table(entry.lookup)},
                           {"value_match", value_match(entry.lookup)},
                           {"new_shard_key", parameter_mark(next)},
                           {"new_row_key", parameter_mark(next + 1)},
                           {"shard_key", parameter_mark(next + 2)},
                           {"row_key", parameter_mark(next + 3)}},
                          std::move(parameters));
}

statement lookup_remove_statement(lookup_entry const& entry) {
  auto const next = entry.texts.size();
  auto parameters = value_parameters(entry.texts);
  append(parameters, {text_array(entry.owner.shard_key), text_array(entry.owner.row_key)});
  return filled_statement(sql::lookup_remove,
                          {{"mappings", mapping_table(entry.lookup)},
                           {"value_match", value_match(entry.lookup)},
                           {"shard_key", parameter_mark(next)},
                           {"row_key", parameter_mark(next + 1)}},
                          std::move(parameters));
}

statement lookup_find_statement(lookup_of_table const& lookup, std::vector<std::string> const& value,
                                std::size_t limit) {
  return filled_statement(sql::lookup_find,
                          {{"mappings", mapping_table(lookup)},
                           {"shard_key", shard_key_elements(lookup)},
                           {"value_match", value_match(lookup)},
                           {"limit", limit_of(limit)}},
                          value_parameters(value));
}

statement lookup_ready_statement(lookup_of_table const& lookup) {
  return filled_statement(sql::lookup_ready, {}, {lookup.table->manifest.table, lookup.lookup->name});
}

statement source_find_statement(lookup_of_table const& lookup, std::vector<std::string> const& value,
                                std::size_t limit) {
  auto const& manifest = lookup.table->manifest;
  return filled_statement(
      sql::source_find,
      {{"table", fragment::table(manifest.table)},
       {"shard_key", fragment::of_quoted(key_text_list(*lookup.table, manifest.shard_key, "t."))},
       {"value_match", base_match(*lookup.table, lookup.lookup->columns, 0)},
       {"limit", limit_of(limit)}},
      value_parameters(value));
}

statement all_open_statement(std::string_view group) {
  return filled_statement(sql::all_open, {{"fence", fragment::of_quoted(names::fence(group))}}, {});
}

statement row_holds_statement(lookup_of_table const& lookup, std::vector<std::string> const& value,
                              lookup_owner const& owner) {
  auto const& table = *lookup.table;
  auto parameters = value_parameters(value);
  std::vector<fragment> owner_match{base_match(table, table.manifest.shard_key, parameters.size())};
  append(parameters, owner.shard_key);
  if (lookup.lookup->unique) {
    owner_match.push_back(base_match(table, table.manifest.key, parameters.size()));
    append(parameters, owner.row_key);
  }
  return filled_statement(sql::row_holds,
                          {{"table", fragment::table(table.manifest.table)},
                           {"value_match", base_match(table, lookup.lookup->columns, 0)},
                           {"owner_match", joined(owner_match, " AND ")}},
                          std::move(parameters));
}

}  // namespace v0
}  // namespace shardway
