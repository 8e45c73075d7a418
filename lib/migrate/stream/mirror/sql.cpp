#include "lib/migrate/stream/mirror/sql.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/migrate/stream/table_sql.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/place.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

using kind_type = stream_value::kind_type;

bool is_in(std::vector<std::size_t> const& columns, std::size_t column) {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

bool names_the_row(followed_table const& table, std::size_t column) {
  return is_in(table.key, column) || is_in(table.shard_key, column);
}

// Parameters as they are added, with their types.
struct parameter_list {
  std::vector<text_value> values;
  std::string add(followed_table const& table, std::size_t column, stream_value const& value) {
    values.push_back(value.kind == kind_type::text ? text_value{value.text} : text_value{});
    return absl::StrCat("$", values.size(), "::", table.sent[column].type);
  }
};

std::string row_match(followed_table const& table, stream_tuple const& row, parameter_list& parameters) {
  std::vector<std::string> conditions;
  for (std::size_t i = 0; i < table.sent.size(); ++i)
    if (names_the_row(table, i))
      conditions.push_back(
          absl::StrCat("t.", quoted_column(table, i), " = ", parameters.add(table, i, row[i])));
  return absl::StrJoin(conditions, " AND ");
}

std::string from_excluded(std::string const& column) { return absl::StrCat(column, " = excluded.", column); }

}  // namespace

stream_tuple sent_tuple(followed_table const& table, stream_relation const& relation,
                        stream_tuple const& decoded) {
  stream_tuple tuple;
  for (auto const& column : table.sent) {
    stream_value value;
    for (std::size_t i = 0; i < relation.columns.size() && i < decoded.size(); ++i)
      if (relation.columns[i].name == column.name) value = decoded[i];
    tuple.push_back(std::move(value));
  }
  return tuple;
}

statement mirror_insert_statement(followed_table const& table, stream_tuple const& image) {
  parameter_list parameters;
  std::vector<std::string> values, keys, updates, same_shard_key;
  for (std::size_t i = 0; i < table.sent.size(); ++i) {
    values.push_back(parameters.add(table, i, image[i]));
    if (!is_in(table.key, i) || !equality_is_identity(table.sent[i]))
      updates.push_back(from_excluded(quoted_column(table, i)));
  }
  for (auto const column : table.key) keys.push_back(quoted_column(table, column));
  for (auto const column : table.shard_key)
    same_shard_key.push_back(absl::StrCat("t.", from_excluded(quoted_column(table, column))));
  if (updates.empty()) updates.push_back(from_excluded(keys.front()));
  return {.sql = absl::StrCat("INSERT INTO ", names::quoted_table(table.name()), " AS t (",
                              sent_column_list(table), ") OVERRIDING SYSTEM VALUE VALUES (",
                              absl::StrJoin(values, ", "), ") ON CONFLICT (", absl::StrJoin(keys, ", "),
                              ") DO UPDATE SET ", absl::StrJoin(updates, ", "), " WHERE ",
                              absl::StrJoin(same_shard_key, " AND ")),
          .parameters = std::move(parameters.values),
          .name = absl::StrCat("sw_mirror_insert", table.id)};
}

statement mirror_update_statement(followed_table const& table, stream_tuple const& old_row,
                                  stream_tuple const& image) {
  parameter_list parameters;
  std::vector<std::string> updates;
  for (std::size_t i = 0; i < table.sent.size(); ++i) {
    if (image[i].kind == kind_type::unchanged) continue;
    if (names_the_row(table, i) && image[i] == old_row[i]) continue;
    updates.push_back(absl::StrCat(quoted_column(table, i), " = ", parameters.add(table, i, image[i])));
  }
  if (updates.empty()) {
    auto const key = quoted_column(table, table.key.front());
    updates.push_back(absl::StrCat(key, " = t.", key));
  }
  auto const match = row_match(table, old_row, parameters);
  return {.sql = absl::StrCat("UPDATE ", names::quoted_table(table.name()), " AS t SET ",
                              absl::StrJoin(updates, ", "), " WHERE ", match),
          .parameters = std::move(parameters.values)};
}

std::string key_expressions(followed_table const& table) {
  return absl::StrJoin(table.key, ", ", [&](std::string* out, std::size_t column) {
    out->append(quoted_column(table, column));
  });
}

statement mirror_holder_statement(followed_table const& table, stream_tuple const& row,
                                  std::string const& expressions) {
  parameter_list parameters;
  std::vector<std::string> image;
  for (std::size_t i = 0; i < table.sent.size(); ++i)
    image.push_back(absl::StrCat(parameters.add(table, i, row[i]), " AS ", quoted_column(table, i)));
  return {.sql = absl::StrCat("SELECT max(", slot_of_row(table), ") FILTER (WHERE NOT (",
                              outside_authority(table), ")) FROM ", names::quoted_table(table.name()),
                              " AS t WHERE ROW(", expressions, ") = (SELECT ", expressions, " FROM (SELECT ",
                              absl::StrJoin(image, ", "), ") AS i)"),
          .parameters = std::move(parameters.values)};
}

statement mirror_delete_statement(followed_table const& table, stream_tuple const& old_row) {
  parameter_list parameters;
  auto const match = row_match(table, old_row, parameters);
  return {.sql = absl::StrCat("DELETE FROM ", names::quoted_table(table.name()), " AS t WHERE ", match),
          .parameters = std::move(parameters.values)};
}

statement mirror_locate_statement(followed_table const& table, stream_tuple const& old_row,
                                  window_state const& windows) {
  parameter_list parameters;
  std::vector<std::string> conditions, ranges;
  auto const slot = slot_of_row(table);
  for (auto const column : table.key)
    conditions.push_back(absl::StrCat("t.", quoted_column(table, column), " = ",
                                      parameters.add(table, column, old_row[column])));
  for (auto const& range : windows.open_ranges())
    ranges.push_back(absl::StrCat(slot, " BETWEEN ", range.first.value(), " AND ", range.last.value()));
  conditions.push_back(ranges.empty() ? "false" : absl::StrCat("(", absl::StrJoin(ranges, " OR "), ")"));
  return {.sql = absl::StrCat("DELETE FROM ", names::quoted_table(table.name()), " AS t WHERE ",
                              absl::StrJoin(conditions, " AND ")),
          .parameters = std::move(parameters.values)};
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
