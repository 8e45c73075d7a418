#include "lib/protocol/column_lists.hpp"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace shardway {
inline namespace v0 {

std::string column_list(std::vector<std::string> const& columns, std::string_view prefix) {
  return absl::StrJoin(columns, ", ", [&](std::string* text, std::string const& column) {
    text->append(prefix).append(names::quoted(column));
  });
}

std::string distinct_list(std::vector<std::string> const& columns) {
  return absl::StrJoin(columns, " OR ", [](std::string* text, std::string const& column) {
    auto const name = names::quoted(column);
    absl::StrAppend(text, "OLD.", name, " IS DISTINCT FROM NEW.", name);
  });
}

std::vector<column_state const*> sent_columns(table_state const& table) {
  std::vector<column_state const*> columns;
  for (auto const& column : table.columns)
    if (!column.generated) columns.push_back(&column);
  return columns;
}

bool is_key(table_state const& table, std::string_view column) {
  return std::find(table.manifest.key.begin(), table.manifest.key.end(), column) != table.manifest.key.end();
}

column_state const* find_column(table_state const& table, std::string_view name) {
  auto const found = std::find_if(table.columns.begin(), table.columns.end(),
                                  [&](column_state const& column) { return column.name == name; });
  return found == table.columns.end() ? nullptr : &*found;
}

std::string type_of(table_state const& table, std::string_view column) {
  auto const* const found = find_column(table, column);
  return found ? found->type : "text";
}

std::string key_type_of(table_state const& table, std::string_view column) {
  auto const* const found = find_column(table, column);
  return found ? found->key_type() : "text";
}

std::string as_key(column_state const& column, std::string const& expression) {
  return column.base_type.empty() ? expression
                                  : absl::StrCat("CAST(", expression, " AS ", column.base_type, ")");
}

std::string key_expression(column_state const& column, std::string const& prefix) {
  return as_key(column, prefix + names::quoted(column.name));
}

std::string slot_expression(table_state const& table, std::string const& prefix) {
  std::vector<std::string> key;
  for (auto const& name : table.manifest.shard_key) {
    auto const* const column = find_column(table, name);
    key.push_back(column ? key_expression(*column, prefix) : prefix + names::quoted(name));
  }
  return slot_of_call(key);
}

}  // namespace v0
}  // namespace shardway
