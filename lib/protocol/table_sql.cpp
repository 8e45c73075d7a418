#include "absl/strings/str_cat.h"
#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/drop_triggers.hpp"
#include "lib/protocol/key_text.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/place.hpp"
#include "lib/protocol/schema.hpp"
#include "lib/protocol/sql_template.hpp"
#include "lib/protocol/value_guard.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using fragment = sql_fragment;

std::string guard_trigger(write_guard guard, std::string_view table, std::string_view group) {
  if (guard == write_guard::absent)
    return fill(sql::write_guard_absent, {{"table", fragment::table(table)}}).text();
  auto const drop = drop_triggers_sql(table, "shardway\\_guard");
  auto const* function =
      guard == write_guard::recording ? "shardway.record_foreign_write" : "shardway.refuse_foreign_write";
  return drop + fill(sql::write_guard, {{"table", fragment::table(table)},
                                        {"client", fragment::literal("client/" + std::string(group))},
                                        {"function", fragment::of_quoted(function)}})
                    .text();
}

// Nothing if the primary key holds the whole shard key: then the primary key is the replica identity.
std::string identity_index_sql(table_state const& table) {
  auto columns = table.manifest.key;
  for (auto const& column : table.manifest.shard_key)
    if (!is_key(table, column)) columns.push_back(column);
  if (columns.size() == table.manifest.key.size()) return {};
  auto const name = names::quoted_table(table.manifest.table);
  return fill_function(sql::identity_index, {{"table_name", fragment::literal(name)},
                                             {"columns", fragment::literal(column_list(columns, ""))}})
      .text();
}

// t."id" = apply.key[1]::bigint AND ...
fragment key_match(table_state const& table) {
  std::vector<fragment> columns;
  for (auto const& column : table.manifest.key)
    columns.push_back(fragment::of_quoted(absl::StrCat("t.", names::quoted(column), " = apply.key[",
                                                       columns.size() + 1, "]::", type_of(table, column))));
  return joined(columns, "\n      AND ");
}

struct image_lists {
  std::vector<fragment> columns, values, updates;
};

image_lists lists_of_image(table_state const& table) {
  image_lists lists;
  for (auto const* column : sent_columns(table)) {
    auto const name = names::quoted(column->name);
    lists.columns.push_back(fragment::identifier(column->name));
    lists.values.push_back(
        fragment::of_quoted(absl::StrCat("apply.image[", lists.columns.size(), "]::", column->type)));
    if (!is_key(table, column->name) || !equality_is_identity(*column))
      lists.updates.push_back(fragment::of_quoted(absl::StrCat(name, " = excluded.", name)));
  }
  lists.updates.push_back(fragment::of_quoted("_shardway_version = excluded._shardway_version"));
  return lists;
}

// The slot that the image says.
std::string slot_of_image(table_state const& table) {
  std::vector<std::string> key;
  auto const sent = sent_columns(table);
  for (auto const& name : table.manifest.shard_key)
    for (std::size_t i = 0; i < sent.size(); ++i)
      if (sent[i]->name == name)
        key.push_back(as_key(*sent[i], absl::StrCat("apply.image[", i + 1, "]::", sent[i]->type)));
  return slot_of_call(key);
}

std::string apply_function_sql(table_state const& table, grantees const& application) {
  auto const& manifest = table.manifest;
  auto const [columns, values, updates] = lists_of_image(table);
  return fill_function(sql::apply_function,
                       {{"function", fragment::of_quoted(names::apply_function(manifest.table))},
                        {"name", fragment::literal(manifest.table)},
                        {"table", fragment::table(manifest.table)},
                        {"table_name", fragment::literal(names::quoted_table(manifest.table))},
                        {"image_slot", fragment::of_quoted(slot_of_image(table))},
                        {"outside", fragment::of_quoted(outside_authority(table, "t."))},
                        {"fence", fragment::of_quoted(names::fence(manifest.group))},
                        {"fence_lock", fragment::of_quoted(names::fence_lock(manifest.group))},
                        {"key", fragment::of_quoted(column_list(manifest.key, ""))},
                        {"key_match", key_match(table)},
                        {"columns", joined(columns, ", ")},
                        {"values", joined(values, ",\n      ")},
                        {"updates", joined(updates, ",\n      ")},
                        {"application_role", fragment::of_quoted(application.sql())}})
      .text();
}

std::string shard_key_refusal_sql(table_state const& table) {
  auto const& key = table.manifest.shard_key;
  return fill(sql::shard_key_refusal, {{"table", fragment::table(table.manifest.table)},
                                       {"columns", fragment::of_quoted(column_list(key, ""))},
                                       {"changed", fragment::of_quoted(distinct_list(key))}})
      .text();
}

}  // namespace

std::string drop_triggers_sql(std::string_view table, std::string_view name_pattern) {
  return fill_function(sql::drop_triggers, {{"table_name", fragment::literal(names::quoted_table(table))},
                                            {"pattern", fragment::literal(name_pattern)}})
      .text();
}

std::string write_guard_sql(write_guard guard, std::string_view table, std::string_view group,
                            std::vector<std::string> const& leaves) {
  std::string sql;
  for (auto const& leaf : leaves) absl::StrAppend(&sql, guard_trigger(guard, leaf, group));
  return absl::StrCat(sql, guard_trigger(guard, table, group));
}

std::string shard_key_trigger_sql(table_state const& table, bool present) {
  auto const& manifest = table.manifest;
  auto const function = fragment::of_quoted(names::key_change_function(manifest.table));
  auto const name = fragment::table(manifest.table);
  if (!present) return fill(sql::drop_shard_key_change, {{"table", name}, {"function", function}}).text();
  return drop_triggers_sql(manifest.table, "shardway\\_key\\_change") +
         fill_function(
             sql::shard_key_change,
             {{"table", name},
              {"table_name", fragment::literal(names::quoted_table(manifest.table))},
              {"function", function},
              {"function_name", fragment::literal(names::key_change_function(manifest.table))},
              {"name", fragment::literal(manifest.table)},
              {"fence", fragment::of_quoted(names::fence(manifest.group))},
              {"old_slot", fragment::of_quoted(slot_expression(table, "OLD."))},
              {"old_key", fragment::of_quoted(key_text_list(table, manifest.key, "OLD."))},
              {"old_shard_key", fragment::of_quoted(key_text_list(table, manifest.shard_key, "OLD."))},
              {"columns", fragment::of_quoted(column_list(manifest.shard_key, ""))},
              {"changed", fragment::of_quoted(distinct_list(manifest.shard_key))}})
             .text();
}

std::string leaf_truncate_sql(std::vector<std::string> const& leaves, bool present) {
  std::string sql = present && !leaves.empty() ? fill(sql::leaf_truncate, {}).text() : std::string();
  auto const& of_leaf = present ? sql::leaf_truncate_trigger : sql::leaf_truncate_absent;
  for (auto const& leaf : leaves)
    absl::StrAppend(&sql, fill(of_leaf, {{"table", fragment::table(leaf)}}).text());
  return sql;
}

std::string shard_table_sql(table_state const& table, grantees const& application) {
  auto const column = fill(sql::version_column, {{"table", fragment::table(table.manifest.table)}});
  if (table.manifest.kind == table_kind::reference) return column.text();
  return absl::StrCat(column.text(), identity_index_sql(table), apply_function_sql(table, application),
                      shard_key_refusal_sql(table));
}

std::string drop_shard_table_sql(table_state const& table) {
  auto const name = fragment::table(table.manifest.table);
  return fill_function(sql::drop_shard_table,
                       {{"function", fragment::of_quoted(names::apply_function(table.manifest.table))},
                        {"table", name},
                        {"table_name", fragment::literal(name.text())}})
             .text() +
         drop_value_guard_sql(table.manifest.table);
}

std::string maintain_outbox_sql(int hours_ahead, int keep_hours) {
  return absl::StrCat("SELECT shardway.maintain_outbox(", hours_ahead, ", ", keep_hours, ")");
}

}  // namespace v0
}  // namespace shardway
