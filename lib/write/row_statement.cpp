#include "shardway/write/row_statement.hpp"

#include <algorithm>

#include <absl/strings/str_join.h>

#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// A column of the row, in the table's order.
struct given_column {
  column_state const* column{};
  text_value const* value{};
  std::string parameter;  // "$n"
  bool in_key{};
  bool in_shard_key{};
  bool identifies() const noexcept { return in_key || in_shard_key; }
};

bool contains(std::vector<std::string> const& names, std::string const& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

error bad(table_state const& table, std::string const& column, char const* what) {
  return error{error_code::invalid_argument,
               "a row of " + table.manifest.table + ": column \"" + column + "\" " + what};
}

result<void> check_names(table_state const& table, row_values const& row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    auto const& name = row[i].first;
    auto const column = std::find_if(table.columns.begin(), table.columns.end(),
                                     [&](auto const& one) { return one.name == name; });
    if (column == table.columns.end())
      return bad(table, name, "is not in the generation's list of its columns");
    if (column->generated) return bad(table, name, "is generated: the server computes it");
    for (std::size_t j = 0; j < i; ++j)
      if (row[j].first == name) return bad(table, name, "is given twice");
  }
  return success();
}

result<std::vector<given_column>> columns_of(table_state const& table, row_values const& row) {
  BOOST_OUTCOME_TRYV(check_names(table, row));
  std::vector<given_column> given;
  for (auto const& column : table.columns)
    for (auto const& [name, value] : row) {
      if (name != column.name) continue;
      given.push_back({&column, &value, "$" + std::to_string(given.size() + 1),
                       contains(table.manifest.key, name), contains(table.manifest.shard_key, name)});
    }
  return given;
}

result<shard_key> key_of(table_state const& table, std::vector<given_column> const& given) {
  std::vector<shard_key> columns;
  for (auto const& name : table.manifest.shard_key) {
    auto const found =
        std::find_if(given.begin(), given.end(), [&](auto const& one) { return one.column->name == name; });
    if (found == given.end() || !*found->value)
      return error{error_code::shard_key_missing,
                   "a row of " + table.manifest.table + " is routed by column \"" + name +
                       "\", which is missing or NULL",
                   "give every column of the shard key"};
    auto column_key = shard_key::from_text(found->column->key_type(), **found->value);
    if (!column_key)
      return column_key.error().while_doing("column \"" + name + "\" of " + table.manifest.table);
    columns.push_back(std::move(column_key).value());
  }
  if (columns.empty()) return shard_key{};
  return shard_key::composite(columns);
}

result<void> check_key(table_state const& table, std::vector<given_column> const& given) {
  for (auto const& name : table.manifest.key) {
    auto const found =
        std::find_if(given.begin(), given.end(), [&](auto const& one) { return one.column->name == name; });
    if (found == given.end() || !*found->value)
      return bad(table, name, "is part of the primary key and missing or NULL");
  }
  return success();
}

template <class Wanted, class Text>
std::string joined(std::vector<given_column> const& given, char const* separator, Wanted wanted, Text text) {
  std::vector<std::string> texts;
  for (auto const& one : given)
    if (wanted(one)) texts.push_back(text(one));
  return absl::StrJoin(texts, separator);
}

std::string name_of(given_column const& one) { return names::quoted(one.column->name); }
bool every(given_column const&) { return true; }

std::string insert_sql(table_state const& table, std::vector<given_column> const& given) {
  return "INSERT INTO " + names::quoted_table(table.manifest.table) + " AS shardway_target (" +
         joined(given, ", ", every, name_of) + ") VALUES (" +
         joined(given, ", ", every, [](auto const& one) { return one.parameter; }) + ")";
}

// If there is nothing to update, a key column is set to its own value, so that the row counts as changed.
// A row with another shard key is not touched.
std::string upsert_sql(table_state const& table, std::vector<given_column> const& given) {
  auto const excluded = [](given_column const& one) { return name_of(one) + " = excluded." + name_of(one); };
  auto sets = joined(given, ", ", [](auto const& one) { return !one.identifies(); }, excluded);
  if (sets.empty())
    sets = names::quoted(table.manifest.key.front()) + " = excluded." +
           names::quoted(table.manifest.key.front());
  auto const append_quoted = [](std::string* sql, std::string const& name) {
    sql->append(names::quoted(name));
  };
  auto const same = joined(
      given, " AND ", [](auto const& one) { return one.in_shard_key; },
      [](auto const& one) { return "shardway_target." + name_of(one) + " = excluded." + name_of(one); });
  return insert_sql(table, given) + " ON CONFLICT (" +
         absl::StrJoin(table.manifest.key, ", ", append_quoted) + ") DO UPDATE SET " + sets +
         (same.empty() ? "" : " WHERE " + same);
}

std::string where_sql(std::vector<given_column> const& given) {
  return " WHERE " + joined(
                         given, " AND ", [](auto const& one) { return one.identifies(); },
                         [](auto const& one) { return name_of(one) + " = " + one.parameter; });
}

}  // namespace

result<row_statement> make_row_statement(table_state const& table, row_operation operation,
                                         row_values const& row) {
  BOOST_OUTCOME_TRY(auto const given, columns_of(table, row));
  row_statement made;
  BOOST_OUTCOME_TRY(made.key, key_of(table, given));
  if (operation != row_operation::insert) {
    BOOST_OUTCOME_TRYV(check_key(table, given));
  }
  auto const other =
      std::find_if(given.begin(), given.end(), [](auto const& one) { return !one.identifies(); });
  auto const target = names::quoted_table(table.manifest.table);
  switch (operation) {
    case row_operation::insert:
      if (given.empty())
        return error{error_code::invalid_argument, "a row of " + table.manifest.table + " has no column"};
      made.sql = insert_sql(table, given);
      break;
    case row_operation::upsert:
      made.sql = upsert_sql(table, given);
      break;
    case row_operation::update:
      if (other == given.end())
        return error{error_code::invalid_argument,
                     "a row of " + table.manifest.table + " has no column to update beside its keys"};
      made.sql = "UPDATE " + target + " SET " +
                 joined(
                     given, ", ", [](auto const& one) { return !one.identifies(); },
                     [](auto const& one) { return name_of(one) + " = " + one.parameter; }) +
                 where_sql(given);
      break;
    case row_operation::erase:
      if (other != given.end())
        return bad(table, other->column->name,
                   "is no part of its primary key or shard key: a row is erased by these alone");
      made.sql = "DELETE FROM " + target + where_sql(given);
      break;
  }
  for (auto const& one : given) made.parameters.push_back(*one.value);
  return made;
}

}  // namespace v0
}  // namespace shardway
