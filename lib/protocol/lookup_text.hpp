// Pieces of SQL that lookups' statements share.
#pragma once

#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/lookup.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/statement_name.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace lookup_text {

inline std::string number(std::size_t value) { return std::to_string(value); }
inline std::string mapping_table(lookup_of_table const& lookup) {
  return names::lookup_table(lookup.table->manifest.table, lookup.lookup->name);
}
inline std::string value_column(std::size_t position) { return "v" + number(position + 1); }

// Canonical bytes have four types, and an integer of any width is a bigint in them.
inline std::string stored_type(lookup_of_table const& lookup, std::size_t position) {
  auto const kind = key_column_of(key_type_of(*lookup.table, lookup.lookup->columns[position]));
  switch (kind ? type_of(kind.value()) : key_type::text) {
    case key_type::integer:
      return "bigint";
    case key_type::text:
      return "text";
    case key_type::uuid:
      return "uuid";
    case key_type::bytea:
      return "bytea";
  }
  return "text";
}

inline statement named(std::string sql, std::vector<text_value> parameters) {
  auto name = statement_name(sql);
  return {.sql = std::move(sql), .parameters = std::move(parameters), .name = std::move(name)};
}

// Rows (v1, ..., s, k) of the entries; an owner is passed as the text of its array, because an array of
// arrays would be flattened.
inline std::string entries_from(lookup_of_table const& lookup) {
  auto const width = lookup.lookup->columns.size();
  std::string arrays, columns;
  for (std::size_t i = 0; i < width + 2; ++i)
    arrays += (i ? ", pg_catalog.unnest($" : "pg_catalog.unnest($") + number(i + 1) + "::text[])";
  for (std::size_t i = 0; i < width; ++i) columns += value_column(i) + ", ";
  return "ROWS FROM (" + arrays + ") WITH ORDINALITY AS u (" + columns + "s, k, at)";
}

inline std::vector<text_value> entry_parameters(std::span<lookup_entry const> entries) {
  auto const width = entries.front().texts.size();
  std::vector<std::vector<std::string>> arrays(width + 2);
  for (auto const& entry : entries) {
    for (std::size_t i = 0; i < width; ++i) arrays[i].push_back(entry.texts[i]);
    arrays[width].push_back(text_array(entry.owner.shard_key));
    arrays[width + 1].push_back(text_array(entry.owner.row_key));
  }
  std::vector<text_value> parameters;
  for (auto const& array : arrays) parameters.emplace_back(text_array(array));
  return parameters;
}

inline std::string element_list(std::string const& array, std::size_t count) {
  std::string sql;
  for (std::size_t i = 0; i < count; ++i) sql += (i ? ", " : "") + array + "[" + number(i + 1) + "]";
  return sql;
}

}  // namespace lookup_text
}  // namespace v0
}  // namespace shardway
