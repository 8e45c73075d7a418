// Small pieces of SQL over the columns of a table.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/manifest/generation.hpp"
#include "shardway/protocol/names.hpp"

namespace shardway {
inline namespace v0 {

inline std::string column_list(std::vector<std::string> const& columns, std::string_view prefix) {
  std::string sql;
  for (auto const& column : columns) sql += (sql.empty() ? "" : ", ") + std::string(prefix) + names::quoted(column);
  return sql;
}

inline std::string text_list(std::vector<std::string> const& columns, std::string_view prefix) {
  std::string sql;
  for (auto const& column : columns) sql += (sql.empty() ? "" : ", ") + std::string(prefix) + names::quoted(column) + "::text";
  return sql;
}

inline std::string distinct_list(std::vector<std::string> const& columns) {
  std::string sql;
  for (auto const& column : columns)
    sql += (sql.empty() ? "OLD." : " OR OLD.") + names::quoted(column) + " IS DISTINCT FROM NEW." + names::quoted(column);
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

/// shardway.slot_of over the shard key's columns with a prefix such as "OLD.".
inline std::string slot_expression(table_state const& table, std::string const& prefix) {
  auto const& key = table.manifest.shard_key;
  if (key.size() == 1) return "shardway.slot_of(" + prefix + names::quoted(key[0]) + ")";
  std::string parts;
  for (auto const& column : key) parts += (parts.empty() ? "" : ", ") + ("shardway.key_part(" + prefix + names::quoted(column) + ")");
  return "shardway.slot_of_parts(" + parts + ")";
}

}  // namespace v0
}  // namespace shardway
