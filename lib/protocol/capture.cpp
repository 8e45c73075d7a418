#include "lib/protocol/capture.hpp"

#include <set>

#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/durable_commit.hpp"
#include "lib/protocol/key_text.hpp"
#include "lib/store/statement_name.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/limits.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using operation_type = captured_statement::operation_type;

}  // namespace

statement capture_statement(trigger_duty duty, outbox_context const& context,
                            std::vector<text_value> const& shard_key) {
  return {.sql =
              "SELECT pg_catalog.set_config('shardway.capture', $1, true), "
              "pg_catalog.set_config('shardway.write_id', $2, true), "
              "pg_catalog.set_config('shardway.epoch', $3, true), pg_catalog.set_config('shardway.slot', $4, "
              "true), "
              "pg_catalog.set_config('shardway.key', $5, true)",
          .parameters = {duty == trigger_duty::outbox ? "outbox" : "check", context.id.to_string(),
                         std::to_string(context.epoch.value()), std::to_string(context.slot.value()),
                         text_array(shard_key)},
          .name = "shardway_capture"};
}

statement raw_statement(bool raw) {
  return {.sql = "SELECT pg_catalog.set_config('shardway.raw', $1, true)",
          .parameters = {raw ? "refuse" : ""},
          .name = "shardway_raw"};
}

std::vector<statement> before_captured_statements() {
  return {{.sql = "SET CONSTRAINTS ALL IMMEDIATE"},
          durable_commit_statement(),
          {.sql = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true), "
                  "pg_catalog.set_config('TimeZone', 'UTC', "
                  "true), "
                  "pg_catalog.set_config('DateStyle', 'ISO', true), pg_catalog.set_config('IntervalStyle', "
                  "'postgres', true), "
                  "pg_catalog.set_config('bytea_output', 'hex', true), "
                  "pg_catalog.set_config('extra_float_digits', '3', true)",
           .name = "shardway_printing"}};
}

statement captured_rows_statement(table_state const& table) {
  std::string keys, match, images;
  for (std::size_t i = 0; i < table.manifest.key.size(); ++i) {
    auto const value = "(c.r -> 4 ->> " + std::to_string(i) + ")";
    keys += ", " + value;
    match += (i ? " AND t." : "t.") + names::quoted(table.manifest.key[i]) + " = " + value +
             "::" + type_of(table, table.manifest.key[i]);
  }
  for (auto const* column : sent_columns(table)) images += ", " + value_text(*column, "t.");
  auto const sql =
      "SELECT c.r ->> 0, c.r ->> 1, c.r ->> 2, t." + names::quoted(table.manifest.key.front()) +
      " IS NOT NULL, c.r ->> 5" + keys + images +
      " FROM (SELECT line::pg_catalog.jsonb AS r FROM pg_catalog.unnest(pg_catalog.string_to_array("
      "pg_catalog.current_setting('shardway.captured', true), E'\\n')) AS lines (line) WHERE line <> '') c "
      "LEFT JOIN " +
      names::quoted_table(table.manifest.table) + " t ON " + match +
      " WHERE c.r ->> 3 = " + names::literal(table.manifest.table) + " ORDER BY (c.r ->> 1)::int4 DESC";
  return {.sql = sql, .name = statement_name(sql)};  // by its text: another generation may have other columns
}

namespace {

constexpr std::size_t first_key = 5;  // after version, ordinal, operation, presence and slot

struct captured_line {
  captured_row row;
  std::string key;  // names the row within this answer
  operation_type operation{};
  bool is_present{};
  slot_id slot{};
};

// For a removed row, only the key is reported.
std::vector<text_value> removed_image(table_state const& table, rows const& answer, std::size_t row) {
  std::vector<text_value> image;
  auto const& key = table.manifest.key;
  for (auto const* column : sent_columns(table)) {
    auto const position =
        static_cast<std::size_t>(std::find(key.begin(), key.end(), column->name) - key.begin());
    image.push_back(position < key.size() ? text_value(std::string(answer.text(row, first_key + position)))
                                          : text_value());
  }
  return image;
}

result<captured_line> line_of(table_state const& table, rows const& answer, std::size_t row) {
  BOOST_OUTCOME_TRY(auto const bigint, answer.integer(row, 0));
  BOOST_OUTCOME_TRY(auto const ordinal, answer.integer(row, 1));
  auto const version = row_version::from_bigint(bigint);
  auto const operation = answer.text(row, 2);
  BOOST_OUTCOME_TRY(auto const slot, answer.integer(row, 4));
  if (!version || operation.size() != 1 || slot < 0 || slot >= limits::slot_count)
    return error{error_code::protocol_violation, "a captured row cannot be parsed"};
  captured_line line{.row = {.version = *version, .ordinal = static_cast<std::int32_t>(ordinal), .image = {}},
                     .key = {},
                     .operation = static_cast<operation_type>(operation[0]),
                     .is_present = answer.boolean(row, 3),
                     .slot = slot_id{static_cast<std::uint16_t>(slot)}};
  for (std::size_t i = 0; i < table.manifest.key.size(); ++i) {
    auto const part = answer.text(row, first_key + i);
    line.key.append(std::to_string(part.size())).append(1, ':').append(part);
  }
  if (line.operation == operation_type::remove) {
    line.row.image = removed_image(table, answer, row);
    return line;
  }
  for (std::size_t i = first_key + table.manifest.key.size(); i < answer.columns().size(); ++i) {
    auto const value = answer.at(row, i);
    line.row.image.push_back(value ? text_value(std::string(*value)) : text_value());
  }
  return line;
}

}  // namespace

result<std::vector<captured_change>> parse_captured(rows const& answer, table_state const& table) {
  if (answer.columns().size() != first_key + table.manifest.key.size() + sent_columns(table).size())
    return error{
        error_code::schema_drift,
        "table " + table.manifest.table + " returned another number of columns than the generation lists",
        "the table was altered: apply its manifest again"};
  std::vector<captured_change> changes;
  std::set<std::string> seen, made_here;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    BOOST_OUTCOME_TRY(auto line, line_of(table, answer, i));
    if (seen.insert(line.key).second && line.operation == operation_type::insert) made_here.insert(line.key);
    bool const is_known =
        line.is_present || (line.operation == operation_type::remove && !made_here.contains(line.key));
    if (is_known) changes.push_back({line.operation, std::move(line.row), line.slot});
  }
  return changes;
}

}  // namespace v0
}  // namespace shardway
