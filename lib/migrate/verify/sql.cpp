#include "lib/migrate/verify/sql.hpp"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/key_text.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {
namespace {

// CP5: types that every server orders alike. All others are ordered by the bytes of their text: collations
// differ between nodes, and the name of a domain or an enum does not tell how it is ordered.
bool has_one_order(std::string const& type) {
  for (std::string_view const known :
       {"smallint", "integer", "bigint", "uuid", "bytea", "date", "timestamp", "numeric", "oid"})
    if (type == known ||
        (type.starts_with(known) && (type[known.size()] == ' ' || type[known.size()] == '(')))
      return !type.ends_with("[]");
  return false;
}

// The leading key column as both sides order it.
std::string leading(table_state const& table, std::string const& alias) {
  auto const& column = table.manifest.key.front();
  if (has_one_order(type_of(table, column))) return alias + names::quoted(column);
  return '(' + key_text_list(table, {column}, alias) + ") COLLATE pg_catalog.\"C\"";
}

std::string where_range(table_state const& table, key_range const& range,
                        std::vector<text_value>& parameters) {
  auto const column_type = type_of(table, table.manifest.key.front());
  auto const type = has_one_order(column_type) ? column_type : std::string("text");
  std::string sql = " WHERE true";
  auto const bound = [&](text_value const& value, std::string const& comparison) {
    if (!value) return;
    parameters.push_back(value);
    sql +=
        " AND " + leading(table, "t.") + comparison + "$" + std::to_string(parameters.size()) + "::" + type;
  };
  bound(range.lower, " > ");
  bound(range.upper, " <= ");
  return sql;
}

// AS11: a text's bytes are those of the database's encoding. Elsewhere than in UTF8 the bytes of UTF8 are
// taken for a text, which a single-byte encoding allows, so that both sides hash the same bytes.
std::string in_utf8(std::string const& text) {
  return "CASE WHEN (SELECT pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.=) 'UTF8') THEN " + text +
         " ELSE pg_catalog.convert_from(pg_catalog.convert_to(" + text +
         ", 'UTF8'), pg_catalog.getdatabaseencoding()) END";
}

std::string hash(std::string const& text, std::int64_t seed) {
  return "pg_catalog.hashtextextended(" + in_utf8(text) + ", " + std::to_string(seed) + ")";
}

std::string slot_column(table_state const& table) {
  return table.manifest.kind == table_kind::reference ? std::string("-1") : slot_expression(table, "t.");
}

std::string row_columns(table_state const& table, hash_seeds seeds) {
  return slot_column(table) + ", pg_catalog.to_hex(" +
         hash("ROW(" + column_list(table.manifest.key, "t.") + ")::text", seeds.second) + "), " +
         hash(row_text(table, "t."), seeds.first) + "::text || ':' || " +
         hash(row_text(table, "t."), seeds.second) + "::text, t.xmin::text, " +
         key_text_list(table, table.manifest.key, "t.");
}

}  // namespace

// V3: two sums of 64-bit hashes under keys of this run, beside the count.
hash_seeds random_seeds() noexcept {
  hash_seeds seeds;
  std::uint8_t bytes[sizeof seeds];
  fill_random(bytes, sizeof bytes);
  std::memcpy(&seeds, bytes, sizeof bytes);
  return seeds;
}

std::string row_text(table_state const& table, std::string const& alias) {
  auto const add_column = [&](std::string* out, column_state const& column) {
    absl::StrAppend(out, alias, names::quoted(column.name));
  };
  return absl::StrCat("ROW(", absl::StrJoin(table.columns, ", ", add_column), ")::text");
}

std::string bounds_sql(table_state const& table, std::int64_t range_rows) {
  auto const key = leading(table, "t.");
  return "SELECT k FROM (SELECT " + key_text_list(table, {table.manifest.key.front()}, "t.") +
         " AS k, row_number() OVER (ORDER BY " + key + ") AS n FROM " +
         names::quoted_table(table.manifest.table) + " t) numbered WHERE n % " + std::to_string(range_rows) +
         " = 0 ORDER BY n";
}

namespace {

// Rows whose slot is placed on another node than this one.
std::string count_elsewhere(std::vector<slot_range> const& placed) {
  std::string here = "false";
  for (auto const& slots : placed)
    here +=
        " OR s BETWEEN " + std::to_string(slots.first.value()) + " AND " + std::to_string(slots.last.value());
  return "count(*) FILTER (WHERE NOT (" + here + "))";
}

}  // namespace

statement sums_statement(table_state const& table, key_range const& range, hash_seeds seeds,
                         std::optional<std::vector<slot_range>> const& placed) {
  std::vector<text_value> parameters;
  auto const where = where_range(table, range, parameters);
  bool const asked = placed && table.manifest.kind == table_kind::sharded;
  return {.sql = "SELECT count(*), coalesce(sum(" + hash("r", seeds.first) + "), 0), coalesce(sum(" +
                 hash("r", seeds.second) + "), 0), " + (asked ? count_elsewhere(*placed) : std::string("0")) +
                 " FROM (SELECT " + row_text(table, "t.") + " AS r, " +
                 (asked ? slot_column(table) : std::string("0")) + " AS s FROM " +
                 names::quoted_table(table.manifest.table) + " t" + where + ") x",
          .parameters = std::move(parameters)};
}

statement rows_statement(table_state const& table, key_range const& range, hash_seeds seeds) {
  std::vector<text_value> parameters;
  auto const where = where_range(table, range, parameters);
  return {.sql = "SELECT " + row_columns(table, seeds) + " FROM " +
                 names::quoted_table(table.manifest.table) + " t" + where,
          .parameters = std::move(parameters)};
}

namespace {

std::string column_array(std::vector<std::vector<std::string>> const& keys, std::size_t column) {
  std::vector<std::string> values;
  values.reserve(keys.size());
  for (auto const& key : keys) values.push_back(key[column]);
  return text_array(values);
}

}  // namespace

statement rows_by_key_statement(table_state const& table, std::vector<std::vector<std::string>> const& keys,
                                hash_seeds seeds) {
  std::vector<std::string> arrays, aliases, matches;
  std::vector<text_value> parameters;
  for (std::size_t i = 0; i < table.manifest.key.size(); ++i) {
    auto const& column = table.manifest.key[i];
    parameters.push_back(column_array(keys, i));
    arrays.push_back(absl::StrCat("$", i + 1, "::text[]"));
    aliases.push_back(absl::StrCat("k", i));
    matches.push_back(
        absl::StrCat("t.", names::quoted(column), " = wanted.k", i, "::", type_of(table, column)));
  }
  return {.sql = absl::StrCat("SELECT ", row_columns(table, seeds), " FROM unnest(",
                              absl::StrJoin(arrays, ", "), ") AS wanted (", absl::StrJoin(aliases, ", "),
                              ") JOIN ", names::quoted_table(table.manifest.table), " t ON ",
                              absl::StrJoin(matches, " AND ")),
          .parameters = std::move(parameters)};
}

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
