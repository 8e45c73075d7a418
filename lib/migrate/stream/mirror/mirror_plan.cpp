// What a shard's transaction becomes on the source: the plan of one mirror.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/migrate/stream/mirror/mirror.hpp"
#include "lib/migrate/stream/mirror/sql.hpp"
#include "lib/migrate/stream/read/decoded_row.hpp"
#include "lib/migrate/stream/read/fence_flips.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

template <class Columns>
bool has_column(Columns const& columns, std::string const& name) {
  return std::any_of(columns.begin(), columns.end(), [&](auto const& column) { return column.name == name; });
}

// The shard's table must have the columns of the source's, and its version column beside them (S10).
result<> check_columns(followed_table const& table, stream_relation const& relation,
                       std::string const& shard) {
  for (auto const& column : relation.columns)
    if (column.name != names::version_column && !has_column(table.sent, column.name))
      return error{
          error_code::schema_drift,
          absl::StrCat("table ", table.name(), " on shard ", shard, " has a new column \"", column.name,
                       "\""),
          "bring the source's table and the generation to the same columns, then start the mirror again"};
  for (auto const& column : table.sent)
    if (!has_column(relation.columns, column.name))
      return error{error_code::schema_drift, absl::StrCat("table ", table.name(), " on shard ", shard,
                                                          " lacks column \"", column.name, "\"")};
  return success();
}

// A partition that was made a moment ago has no replica identity of ours yet: its primary key names the row
// (AP5c).
bool lacks_shard_key(followed_table const& table, stream_tuple const& row) {
  return std::any_of(table.shard_key.begin(), table.shard_key.end(),
                     [&](std::size_t column) { return row[column].kind != stream_value::kind_type::text; });
}

}  // namespace

result<table_ptr> mirror::known_table(std::shared_ptr<stream_relation const> const& relation) {
  table_ptr table;
  {
    std::scoped_lock const lock(mutex_);
    table = catalog_->find(relation->schema + "." + relation->name);
    auto const* group = table ? catalog_->routing().find_group(table->group()) : nullptr;
    if (group && group->stage == stage::finalized)
      return table_ptr{};  // what came before it left the publication
  }
  if (!table || table->is_reference()) return table_ptr{};
  if (checked_.contains(relation.get())) return table;
  BOOST_OUTCOME_TRYV(check_columns(*table, *relation, options_.shard.node));
  checked_.emplace(relation.get(), relation);
  return table;
}

result<std::vector<mirror::planned_change>> mirror::plan(decoded_transaction const& transaction) {
  std::vector<planned_change> changes;
  for (auto const& change : transaction.changes) {
    if (auto const* row = std::get_if<row_event>(&change)) {
      auto const emptied = transaction.has_message ? std::nullopt : leaf_truncate_of(*row);
      if (emptied) return truncated(emptied->leaf);  // AP5a
      if (row->relation->schema == names::schema) continue;
      BOOST_OUTCOME_TRYV(plan_row(*row, transaction.has_message, changes));
      continue;
    }
    if (transaction.has_message) continue;                                     // S16: ours
    for (auto const& relation : std::get<truncate_event>(change).relations) {  // S11
      BOOST_OUTCOME_TRY(auto const table, known_table(relation));
      if (table) return truncated(table->name());
    }
  }
  return changes;
}

error mirror::truncated(std::string const& relation) const {
  return error{error_code::stream_broken,
               "table " + relation + " was truncated on shard " + options_.shard.node +
                   ", but the source's copy holds all shards' rows",
               "delete by shard key instead; compare the table before rolling back"};
}

// Fences and markers, in any transaction. A flip counts for the transactions after it.
result<> mirror::read_ours(decoded_transaction const& transaction, std::int64_t& marker) {
  std::vector<fence_flip> flips;
  for (auto const& change : transaction.changes) {
    auto const* row = std::get_if<row_event>(&change);
    if (!row || row->relation->schema != names::schema) continue;
    if (row->relation->name == "marker" && row->after && !leaf_truncate_of(*row)) {
      BOOST_OUTCOME_TRY(auto const id, marker_of(*row));
      marker = std::max(marker, id);
    }
    BOOST_OUTCOME_TRY(auto flip, fence_flip_of(*row));
    if (flip) flips.push_back(std::move(*flip));
  }
  record_flips(windows_, flips, transaction.end);
  return success();
}

result<> mirror::check_window(followed_table const& table, stream_tuple const& tuple) const {
  BOOST_OUTCOME_TRY(auto const slot, slot_of_tuple(table, tuple));
  if (!slot)
    return error{error_code::stream_broken,
                 "a change to table " + table.name() + " on shard " + options_.shard.node +
                     " came without its shard key",
                 "the replica identity on shards must hold primary key and shard key"};
  auto const windows = windows_.now(table.group());
  if (windows && windows->of(*slot).is_open) return success();
  return error{error_code::stream_broken,
               "I1: an unmarked change to table " + table.name() + " on shard " + options_.shard.node +
                   " lies outside the shard's window for its slot",
               "somebody wrote the shard without the library, for slots that it has no authority for: enable "
               "the write guard and compare the table"};
}

// S16, AP15: of a marked transaction only what lies inside the shard's window is mirrored. An engine or a
// dual write never touches that.
result<bool> mirror::is_skipped(followed_table const& table, stream_tuple const& tuple,
                                bool is_marked) const {
  if (is_marked) {
    BOOST_OUTCOME_TRY(auto const slot, slot_of_tuple(table, tuple));
    auto const windows = windows_.now(table.group());
    return !slot || !windows || !windows->of(*slot).is_open;
  }
  BOOST_OUTCOME_TRYV(check_window(table, tuple));
  return false;
}

statement mirror::removal_of(followed_table const& table, stream_tuple const& old_row) const {
  if (!lacks_shard_key(table, old_row)) return mirror_delete_statement(table, old_row);
  auto const windows = windows_.now(table.group());
  return mirror_locate_statement(table, old_row, windows ? *windows : window_state{});
}

result<> mirror::plan_row(row_event const& row, bool is_marked, std::vector<planned_change>& changes) {
  using enum planned_change::kind_type;
  BOOST_OUTCOME_TRY(auto const table, known_table(row.relation));
  if (!table) return success();
  auto const image = row.after ? sent_tuple(*table, *row.relation, image_of(row)) : stream_tuple{};
  auto const old_row = row.before ? sent_tuple(*table, *row.relation, *row.before) : image;
  // A delete may come without its shard key: then the source's row says where it is.
  bool const is_located = row.kind == row_event::kind_type::remove && lacks_shard_key(*table, old_row);
  BOOST_OUTCOME_TRY(bool const skipped,
                    is_located ? result<bool>{is_marked} : is_skipped(*table, old_row, is_marked));
  if (skipped) return success();
  planned_change change{.kind = row.kind == row_event::kind_type::insert   ? insert
                                : row.kind == row_event::kind_type::update ? update
                                                                           : remove,
                        .sql = {},
                        .table = table,
                        .old_row = old_row,
                        .image = image};
  change.sql = change.kind == insert   ? mirror_insert_statement(*table, image)
               : change.kind == update ? mirror_update_statement(*table, old_row, image)
                                       : removal_of(*table, old_row);
  changes.push_back(std::move(change));
  return success();
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
