// Small pieces of SQL over the columns of a table.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/names.hpp"
#include "lib/protocol/slot_of.hpp"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {

inline std::string column_list(std::vector<std::string> const& columns, std::string_view prefix) {
  std::string sql;
  for (auto const& column : columns)
    sql += (sql.empty() ? "" : ", ") + std::string(prefix) + names::quoted(column);
  return sql;
}

inline std::string text_list(std::vector<std::string> const& columns, std::string_view prefix) {
  std::string sql;
  for (auto const& column : columns)
    sql += (sql.empty() ? "" : ", ") + std::string(prefix) + names::quoted(column) + "::text";
  return sql;
}

inline std::string distinct_list(std::vector<std::string> const& columns) {
  std::string sql;
  for (auto const& column : columns)
    sql += (sql.empty() ? "OLD." : " OR OLD.") + names::quoted(column) + " IS DISTINCT FROM NEW." +
           names::quoted(column);
  return sql;
}

/// The columns whose values travel: all but generated ones, in the source's order.
inline std::vector<column_state const*> sent_columns(table_state const& table) {
  std::vector<column_state const*> columns;
  for (auto const& column : table.columns)
    if (!column.generated) columns.push_back(&column);
  return columns;
}

inline bool is_key(table_state const& table, std::string_view column) {
  return std::find(table.manifest.key.begin(), table.manifest.key.end(), column) != table.manifest.key.end();
}

inline std::string type_of(table_state const& table, std::string_view column) {
  for (auto const& candidate : table.columns)
    if (candidate.name == column) return candidate.type;
  return "text";
}

/// The type whose canonical bytes a key in the column has.
inline std::string key_type_of(table_state const& table, std::string_view column) {
  for (auto const& candidate : table.columns)
    if (candidate.name == column) return candidate.key_type();
  return "text";
}

/// The expression as a value that `shardway.slot_of` takes: a domain or an enum as the type under it.
inline std::string as_key(column_state const& column, std::string const& expression) {
  return column.base_type.empty() ? expression : "CAST(" + expression + " AS " + column.base_type + ")";
}

/// The same for a column of the table with a prefix such as "t.".
inline std::string key_expression(column_state const& column, std::string const& prefix) {
  return as_key(column, prefix + names::quoted(column.name));
}

/// shardway.slot_of over the shard key's columns with a prefix such as "OLD.".
inline std::string slot_expression(table_state const& table, std::string const& prefix) {
  std::vector<std::string> key;
  for (auto const& name : table.manifest.shard_key) {
    auto const column = std::find_if(table.columns.begin(), table.columns.end(),
                                     [&](column_state const& one) { return one.name == name; });
    key.push_back(column == table.columns.end() ? prefix + names::quoted(name)
                                                : key_expression(*column, prefix));
  }
  return slot_of_call(key);
}

}  // namespace v0
}  // namespace shardway
