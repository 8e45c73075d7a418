#include "lib/migrate/rehearsal/sample.hpp"

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/migrate/stream/table_sql.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::rehearsal {
namespace {

using key_texts = std::vector<std::string>;

std::string columns_of(stream::followed_table const& table, std::vector<std::size_t> const& positions) {
  std::vector<std::string> names;
  for (auto const position : positions) names.push_back("t." + stream::quoted_column(table, position));
  return absl::StrJoin(names, ", ");
}

std::string setting_of(std::size_t column) { return absl::StrCat("shardway.rehearsal_key_", column); }

// "(t.a, t.b) IN (SELECT u.c0::bigint, u.c1::text FROM unnest(...) AS u (c0, c1))". The keys come from
// settings of the transaction: COPY takes no parameters, and a literal would stand in the server's log.
std::string chosen_keys(stream::followed_table const& table) {
  std::vector<std::string> values, arrays, names;
  for (std::size_t i = 0; i < table.shard_key.size(); ++i) {
    names.push_back(absl::StrCat("c", i));
    values.push_back(absl::StrCat("u.c", i, "::", table.sent[table.shard_key[i]].type));
    arrays.push_back(absl::StrCat("pg_catalog.current_setting('", setting_of(i), "')::text[]"));
  }
  return absl::StrCat("(", columns_of(table, table.shard_key), ") IN (SELECT ", absl::StrJoin(values, ", "),
                      " FROM pg_catalog.unnest(", absl::StrJoin(arrays, ", "), ") AS u (",
                      absl::StrJoin(names, ", "), "))");
}

result<std::vector<rows>> run(session& source, std::vector<statement> const& statements) {
  std::vector<rows> answers;
  for (auto const& one : statements) {
    BOOST_OUTCOME_TRY(auto answer, source.query(one));
    answers.push_back(std::move(answer));
  }
  return answers;
}

// From the beginning of the table and from anywhere in it.
result<> choose_keys(session& source, stream::followed_table const& table, std::size_t wanted,
                     std::set<key_texts>& chosen) {
  auto const columns = columns_of(table, table.shard_key);
  auto const name = names::quoted_table(table.name());
  for (auto const* where : {"", " TABLESAMPLE SYSTEM (0.5)"}) {
    BOOST_OUTCOME_TRY(
        auto const found,
        source.query({absl::StrCat("SELECT ", columns, " FROM ", name, " AS t", where, " LIMIT ", wanted)}));
    for (std::size_t row = 0; row < found.size(); ++row) {
      key_texts key;
      for (std::size_t i = 0; i < table.shard_key.size(); ++i) key.emplace_back(found.text(row, i));
      chosen.insert(std::move(key));
    }
  }
  return success();
}

result<> publish_keys(session& source, std::set<key_texts> const& chosen, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) {
    std::vector<std::string> column;
    for (auto const& key : chosen)
      if (key.size() == width) column.push_back(key[i]);
    BOOST_OUTCOME_TRYV(source.query({"SELECT pg_catalog.length(pg_catalog.set_config($1, $2, true))",
                                     {setting_of(i), text_array(column)}}));
  }
  return success();
}

std::optional<std::string> text_at(rows const& found, std::size_t row, std::size_t column) {
  auto const value = found.at(row, column);
  return value ? std::optional<std::string>(*value) : std::nullopt;
}

}  // namespace

std::string sample_source(stream::followed_table const& table, std::size_t rows_max) {
  auto const where = table.is_reference() ? std::string{} : absl::StrCat(" WHERE ", chosen_keys(table));
  return absl::StrCat(names::quoted_table(table.name()), " AS t", where, " ORDER BY ",
                      columns_of(table, table.key), " LIMIT ", rows_max);
}

result<std::vector<sampled_table>> begin_sample(session& source, std::vector<stream::table_ptr> const& tables,
                                                sample_limits const& limits) {
  BOOST_OUTCOME_TRYV(
      run(source, {{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
                   {absl::StrCat("SET LOCAL statement_timeout = ", limits.statement_timeout.count())}}));
  std::set<key_texts> chosen;
  std::size_t width = 0;
  for (auto const& table : tables) {
    if (table->is_reference()) continue;
    width = std::max(width, table->shard_key.size());
    BOOST_OUTCOME_TRYV(choose_keys(source, *table, limits.keys, chosen));
  }
  BOOST_OUTCOME_TRYV(publish_keys(source, chosen, width));
  std::vector<sampled_table> sample;
  for (auto const& table : tables) {
    BOOST_OUTCOME_TRY(auto found, read_rows(source, *table, sample_source(*table, limits.rows_max)));
    sample.push_back({table, std::move(found)});
  }
  return sample;
}

result<rows_by_key> read_rows(session& node, stream::followed_table const& table,
                              std::string const& rows_source) {
  BOOST_OUTCOME_TRY(
      auto const found,
      node.query({absl::StrCat("SELECT ", stream::sent_column_list(table), " FROM ", rows_source)}));
  rows_by_key out;
  for (std::size_t row = 0; row < found.size(); ++row) {
    row_texts values;
    for (std::size_t column = 0; column < table.sent.size(); ++column)
      values.push_back(text_at(found, row, column));
    std::vector<std::string> key;
    for (auto const column : table.key) key.push_back(values[column].value_or(std::string{}));
    out.emplace(std::move(key), std::move(values));
  }
  return out;
}

std::vector<std::string> differences(stream::followed_table const& table, rows_by_key const& expected,
                                     rows_by_key const& found) {
  std::size_t missing = 0, extra = 0;
  std::map<std::string, std::size_t> columns;
  for (auto const& [key, values] : expected) {
    auto const other = found.find(key);
    if (other == found.end()) {
      ++missing;
      continue;
    }
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i] != other->second[i]) ++columns[table.sent[i].name];
  }
  for (auto const& [key, values] : found) extra += expected.contains(key) ? 0 : 1;
  std::vector<std::string> out;
  if (missing > 0) out.push_back(absl::StrCat(missing, " rows are missing"));
  if (extra > 0) out.push_back(absl::StrCat(extra, " rows are there that the source does not have"));
  for (auto const& [name, count] : columns)
    out.push_back(absl::StrCat("column ", name, " differs in ", count, " rows"));
  return out;
}

}  // namespace migrate::rehearsal
}  // namespace v0
}  // namespace shardway
