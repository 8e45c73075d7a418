#include "lib/protocol/outbox.hpp"

#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/key_text.hpp"

namespace shardway {
inline namespace v0 {
namespace {

std::string parameter(std::size_t number) { return "$" + std::to_string(number); }

// Raises where a changed row has another shard key than the call named.
std::string key_check(table_state const& table, std::size_t first_parameter) {
  std::string differs;
  for (std::size_t i = 0; i < table.manifest.shard_key.size(); ++i)
    differs += (i ? " OR c." : "c.") + names::quoted(table.manifest.shard_key[i]) + " IS DISTINCT FROM " +
               parameter(first_parameter + i) + "::" + type_of(table, table.manifest.shard_key[i]);
  return "CASE WHEN " + differs + " THEN shardway.refuse_key(" + names::literal(table.manifest.table) +
         ") END AS shardway_check";
}

std::string outbox_insert(captured_statement const& user, table_state const& table, std::size_t base) {
  return "shardway_outbox AS (INSERT INTO shardway.outbox (version, write_id, ordinal, epoch, relation, "
         "slot, operation, key_values, "
         "shard_key_values) SELECT o.shardway_version, " +
         parameter(base) + "::uuid, o.shardway_ordinal, " + parameter(base + 2) + "::int4, " +
         names::literal(table.manifest.table) + ", " + parameter(base + 3) + "::int4, '" +
         static_cast<char>(user.operation) + "', ARRAY[" + key_text_list(table, table.manifest.key, "o.") +
         "], ARRAY[" + key_text_list(table, table.manifest.shard_key, "o.") + "] FROM shardway_row o) ";
}

std::string image_list(table_state const& table, std::string const& alias) {
  std::string sql = ", " + alias + ".shardway_check AS " + std::string(captured_split_column) + ", " + alias +
                    ".shardway_version, " + alias + ".shardway_ordinal";
  for (auto const* column : sent_columns(table)) sql += ", " + value_text(*column, alias + ".");
  return sql;
}

}  // namespace

std::string capture_sql(captured_statement const& user, table_state const& table, bool with_outbox,
                        bool with_image) {
  auto const base = user.parameter_count + 1;
  auto const key_base = with_outbox ? base + 4 : base;
  auto const list = user.returning.empty() ? std::string("1 AS shardway_one") : user.returning;
  // The version is read in a later node of the plan than the change: after the row lock, never before (a
  // version taken before it is wrong for a third of the writes of a hot row: M1).
  std::string sql = "WITH shardway_change AS (" + user.body + " RETURNING " + user.alias +
                    ".*), shardway_row AS MATERIALIZED (SELECT c.*";
  if (with_outbox)
    sql += ", shardway.row_version(" + parameter(base + 2) +
           "::int4, pg_catalog.pg_current_wal_insert_lsn()) AS shardway_version, " +
           "(pg_catalog.row_number() OVER ())::int4 + " + parameter(base + 1) +
           "::int4 - 1 AS shardway_ordinal";
  else if (with_image)
    sql += ", 0::int8 AS shardway_version, 0::int4 AS shardway_ordinal";
  sql += ", " + key_check(table, key_base) + " FROM shardway_change c)";
  if (with_outbox) sql += ", " + outbox_insert(user, table, base);
  return sql + " SELECT " + list +
         (with_outbox || with_image
              ? image_list(table, user.alias)
              : ", " + user.alias + ".shardway_check AS " + std::string(captured_split_column)) +
         " FROM shardway_row AS " + user.alias;
}

std::vector<text_value> capture_parameters(outbox_context const& context, std::vector<text_value> shard_key,
                                           bool with_outbox) {
  std::vector<text_value> parameters;
  if (with_outbox)
    parameters = {context.id.to_string(), std::to_string(context.first_ordinal),
                  std::to_string(context.epoch.value()), std::to_string(context.slot.value())};
  for (auto& value : shard_key) parameters.push_back(std::move(value));
  return parameters;
}

namespace {

// The columns left of the split are the user's; without a RETURNING list there are none to give back.
rows user_rows(rows const& answer, std::size_t split, bool returning) {
  std::vector<rows::column> columns;
  std::vector<text_value> values;
  if (returning) {
    columns.assign(answer.columns().begin(), answer.columns().begin() + static_cast<std::ptrdiff_t>(split));
    for (std::size_t row = 0; row < answer.size(); ++row)
      for (std::size_t column = 0; column < split; ++column) {
        auto const value = answer.at(row, column);
        values.push_back(value ? text_value(std::string(*value)) : text_value());
      }
  }
  return rows(std::move(columns), returning ? answer.size() : 0, std::move(values),
              static_cast<std::int64_t>(answer.size()));
}

}  // namespace

result<captured_rows> split_captured(rows const& answer, captured_statement const& user,
                                     table_state const& table) {
  auto const split = answer.find(captured_split_column);
  if (!split)
    return error(error_code::protocol_violation, "the answer to a captured statement lacks the split column");
  captured_rows captured{.user = user_rows(answer, *split, !user.returning.empty()), .changed = {}};
  auto const image_width = sent_columns(table).size();
  if (answer.columns().size() == *split + 1) return captured;  // check only: no image
  if (answer.columns().size() != *split + 3 + image_width)
    return error(
        error_code::schema_drift,
        "table " + table.manifest.table + " returned another number of columns than the generation lists",
        "the table was altered: apply its manifest again");
  for (std::size_t row = 0; row < answer.size(); ++row) {
    BOOST_OUTCOME_TRY(auto const version, answer.integer(row, *split + 1));
    BOOST_OUTCOME_TRY(auto const ordinal, answer.integer(row, *split + 2));
    auto const parsed = row_version::from_bigint(version);
    if (!parsed) return error(error_code::protocol_violation, "a row version came back negative");
    captured_row changed{.version = *parsed, .ordinal = static_cast<std::int32_t>(ordinal), .image = {}};
    for (std::size_t i = 0; i < image_width; ++i) {
      auto const value = answer.at(row, *split + 3 + i);
      changed.image.push_back(value ? text_value(std::string(*value)) : text_value());
    }
    captured.changed.push_back(std::move(changed));
  }
  return captured;
}

}  // namespace v0
}  // namespace shardway
