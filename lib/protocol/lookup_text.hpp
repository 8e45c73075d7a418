// Pieces of SQL that lookups' statements share. They fill the marks of the files in lib/protocol/sql.
#pragma once

#include "absl/strings/str_cat.h"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/lookup.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/sql_template.hpp"
#include "lib/store/statement_name.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace lookup_text {

inline statement filled_statement(sql_template const& file, std::vector<sql_value> const& values,
                                  std::vector<text_value> parameters) {
  auto sql = fill(file, values).text();
  auto name = statement_name(sql);
  return {.sql = std::move(sql), .parameters = std::move(parameters), .name = std::move(name)};
}

// piece(0), piece(1), ...: text in which names are quoted, with the separator between.
template <class Piece>
sql_fragment list_of(std::size_t count, char const* separator, Piece piece) {
  std::string sql;
  for (std::size_t i = 0; i < count; ++i) absl::StrAppend(&sql, i ? separator : "", piece(i));
  return sql_fragment::of_quoted(std::move(sql));
}

inline std::size_t width_of(lookup_of_table const& lookup) { return lookup.lookup->columns.size(); }

inline sql_fragment mapping_table(lookup_of_table const& lookup) {
  return sql_fragment::of_quoted(names::lookup_table(lookup.table->manifest.table, lookup.lookup->name));
}
inline std::string value_column(std::size_t position) { return absl::StrCat("v", position + 1); }

// "$3" for position 2.
inline std::string parameter(std::size_t position) { return absl::StrCat("$", position + 1); }
inline sql_fragment parameter_mark(std::size_t position) {
  return sql_fragment::of_quoted(parameter(position));
}

inline sql_fragment limit_of(std::size_t limit) {
  return sql_fragment::number(static_cast<std::int64_t>(limit));
}

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

// "v1, v2", each with the prefix and the suffix.
inline sql_fragment value_columns(lookup_of_table const& lookup, char const* prefix = "",
                                  char const* suffix = "") {
  return list_of(width_of(lookup), ", ",
                 [&](std::size_t i) { return absl::StrCat(prefix, value_column(i), suffix); });
}

// "t.v1 = u.v1::bigint AND ...": a mapping and an entry.
inline sql_fragment entry_match(lookup_of_table const& lookup) {
  return list_of(width_of(lookup), " AND ", [&](std::size_t i) {
    return absl::StrCat("t.", value_column(i), " = u.", value_column(i), "::", stored_type(lookup, i));
  });
}

// Arrays from which `u (v1, ..., s, k, at)` is made: the entries' values, shard keys and row keys. An owner
// is passed as the text of its array, because an array of arrays would be flattened.
inline sql_fragment entry_arrays(lookup_of_table const& lookup) {
  return list_of(width_of(lookup) + 2, ",\n  ",
                 [](std::size_t i) { return absl::StrCat("pg_catalog.unnest(", parameter(i), "::text[])"); });
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

// "t.row_key[1], t.row_key[2]".
inline sql_fragment element_list(char const* array, std::size_t count) {
  return list_of(count, ", ", [&](std::size_t i) { return absl::StrCat(array, "[", i + 1, "]"); });
}

}  // namespace lookup_text
}  // namespace v0
}  // namespace shardway
