// The text of the capture triggers.
#include "absl/strings/str_cat.h"
#include "lib/protocol/capture.hpp"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/key_text.hpp"
#include "lib/protocol/sql_template.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using fragment = sql_fragment;

// True for a row `c` whose shard key is not the one that the transaction was routed by.
fragment other_key(table_state const& table) {
  std::vector<fragment> columns;
  for (auto const& column : table.manifest.shard_key)
    columns.push_back(
        fragment::of_quoted(absl::StrCat("c.", names::quoted(column), " IS DISTINCT FROM routed[",
                                         columns.size() + 1, "]::", type_of(table, column))));
  return joined(columns, " OR ");
}

fragment refused_old_rows(table_state const& table, node_role role) {
  if (role == node_role::shard) return fill(sql::shard_refused_old_rows, {{"other_key", other_key(table)}});
  return fill(sql::source_refused_old_rows,
              {{"other_key", other_key(table)},
               {"fence", fragment::of_quoted(names::fence(table.manifest.group))},
               {"slot", fragment::of_quoted(slot_expression(table, "c."))}});
}

// The changed rows of one event are recorded: the file reads them from the transition tables.
fragment record(table_state const& table, sql_template const& changed_rows,
                std::vector<sql_value> more = {}) {
  more.push_back({"key", fragment::of_quoted(key_text_list(table, table.manifest.key, "c."))});
  more.push_back({"shard_key", fragment::of_quoted(key_text_list(table, table.manifest.shard_key, "c."))});
  return fill(sql::capture_record,
              {{"name", fragment::literal(table.manifest.table)}, {"changed", fill(changed_rows, more)}});
}

fragment recording(table_state const& table, node_role role) {
  if (role == node_role::shard) return fragment::of_quoted({});
  auto const new_key = fragment::of_quoted(key_text_list(table, table.manifest.key, "n."));
  return fill(sql::capture_recording,
              {{"record_inserts", record(table, sql::capture_inserted)},
               {"record_updates",
                record(table, sql::capture_updated, {{"other_key", other_key(table)}, {"new_key", new_key}})},
               {"record_deletes", record(table, sql::capture_deleted)}});
}

std::string capture_function_sql(table_state const& table, node_role role) {
  return fill_function(sql::capture_function,
                       {{"function", fragment::of_quoted(names::capture_function(table.manifest.table))},
                        {"name", fragment::literal(table.manifest.table)},
                        {"other_key", other_key(table)},
                        {"refused_old_rows", refused_old_rows(table, role)},
                        {"recording", recording(table, role)}})
      .text();
}

std::string triggers_on(table_state const& table, std::string_view relation) {
  auto const client = fragment::literal(absl::StrCat("client/", table.manifest.group));
  if (!captures_by_trigger(table))
    return fill(sql::raw_trigger, {{"table", fragment::table(relation)}, {"client", client}}).text();
  return fill(sql::capture_triggers,
              {{"table", fragment::table(relation)},
               {"condition", fill(sql::capture_condition, {{"client", client}})},
               {"function", fragment::of_quoted(names::capture_function(table.manifest.table))}})
      .text();
}

std::string drop_triggers(std::string_view relation) {
  return fill(sql::capture_absent, {{"table", fragment::table(relation)}}).text();
}

std::string drop_function(std::string_view table) {
  return fill(sql::capture_function_absent,
              {{"function", fragment::of_quoted(names::capture_function(table))}})
      .text();
}

}  // namespace

std::string capture_triggers_sql(table_state const& table, node_role role,
                                 std::vector<std::string> const& leaves) {
  std::string sql = fill(sql::refuse_raw, {}).text();
  if (captures_by_trigger(table)) absl::StrAppend(&sql, capture_function_sql(table, role));
  auto relations = leaves;
  relations.push_back(table.manifest.table);
  for (auto const& relation : relations)
    absl::StrAppend(&sql, drop_triggers(relation), triggers_on(table, relation));
  if (!captures_by_trigger(table)) absl::StrAppend(&sql, drop_function(table.manifest.table));
  return sql;
}

std::string drop_capture_sql(std::string_view table, std::vector<std::string> const& leaves) {
  std::string sql;
  for (auto const& leaf : leaves) absl::StrAppend(&sql, drop_triggers(leaf));
  return absl::StrCat(sql, drop_triggers(table), drop_function(table));
}

}  // namespace v0
}  // namespace shardway
