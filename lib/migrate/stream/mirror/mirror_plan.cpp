// Which statements a shard's transaction becomes on the source.
#include <algorithm>

#include "lib/migrate/stream/mirror/mirror.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

using kind_type = stream_value::kind_type;

std::string joined(std::vector<std::string> const& parts, std::string_view between) {
  std::string text;
  for (auto const& part : parts) text.append(text.empty() ? "" : between).append(part);
  return text;
}

std::string quoted(followed_table const& table, std::size_t column) {
  return names::quoted(table.sent[column].name);
}

bool is_in(std::vector<std::size_t> const& columns, std::size_t column) {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

// Parameters as they are added, with their types.
struct parameter_list {
  std::vector<text_value> values;
  std::string add(followed_table const& table, std::size_t column, stream_value const& value) {
    values.push_back(value.kind == kind_type::text ? text_value{value.text} : text_value{});
    return "$" + std::to_string(values.size()) + "::" + table.sent[column].type;
  }
};

// Primary key and shard key: a row that another shard has since inserted under the same primary key is not
// ours to touch (S23).
std::string row_match(followed_table const& table, stream_tuple const& tuple, parameter_list& parameters) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < table.sent.size(); ++i)
    if (is_in(table.key, i) || is_in(table.shard_key, i))
      parts.push_back("t." + quoted(table, i) + " = " + parameters.add(table, i, tuple[i]));
  return joined(parts, " AND ");
}

statement insert_of(followed_table const& table, stream_tuple const& image) {
  parameter_list parameters;
  std::vector<std::string> columns, values, keys, updates, same;
  for (std::size_t i = 0; i < table.sent.size(); ++i) {
    columns.push_back(quoted(table, i));
    values.push_back(parameters.add(table, i, image[i]));
    if (!is_in(table.key, i)) updates.push_back(quoted(table, i) + " = excluded." + quoted(table, i));
  }
  for (auto const i : table.key) keys.push_back(quoted(table, i));
  for (auto const i : table.shard_key)
    same.push_back("t." + quoted(table, i) + " = excluded." + quoted(table, i));
  if (updates.empty()) updates.push_back(keys.front() + " = excluded." + keys.front());
  return {.sql = "INSERT INTO " + names::quoted_table(table.name()) + " AS t (" + joined(columns, ", ") +
                 ") OVERRIDING SYSTEM VALUE VALUES (" + joined(values, ", ") + ") ON CONFLICT (" +
                 joined(keys, ", ") + ") DO UPDATE SET " + joined(updates, ", ") + " WHERE " +
                 joined(same, " AND "),
          .parameters = std::move(parameters.values),
          .name = "sw_mirror_insert" + std::to_string(table.id)};
}

statement update_of(followed_table const& table, stream_tuple const& where, stream_tuple const& image) {
  parameter_list parameters;
  std::vector<std::string> updates;
  for (std::size_t i = 0; i < table.sent.size(); ++i) {
    if (image[i].kind == kind_type::unchanged) continue;
    if ((is_in(table.key, i) || is_in(table.shard_key, i)) && image[i] == where[i]) continue;
    updates.push_back(quoted(table, i) + " = " + parameters.add(table, i, image[i]));
  }
  if (updates.empty())
    updates.push_back(quoted(table, table.key.front()) + " = t." + quoted(table, table.key.front()));
  auto const match = row_match(table, where, parameters);
  return {.sql = "UPDATE " + names::quoted_table(table.name()) + " AS t SET " + joined(updates, ", ") +
                 " WHERE " + match,
          .parameters = std::move(parameters.values)};
}

statement delete_of(followed_table const& table, stream_tuple const& where) {
  parameter_list parameters;
  auto const match = row_match(table, where, parameters);
  return {.sql = "DELETE FROM " + names::quoted_table(table.name()) + " AS t WHERE " + match,
          .parameters = std::move(parameters.values)};
}

// The shard's tuple in the order of the columns that travel: the version column is its own.
stream_tuple tuple_for(followed_table const& table, stream_relation const& relation,
                       stream_tuple const& from) {
  stream_tuple tuple;
  for (auto const& column : table.sent) {
    stream_value value;
    for (std::size_t i = 0; i < relation.columns.size() && i < from.size(); ++i)
      if (relation.columns[i].name == column.name) value = from[i];
    tuple.push_back(std::move(value));
  }
  return tuple;
}

}  // namespace

result<table_ptr> mirror_thread::known_table(std::shared_ptr<stream_relation const> const& relation) {
  table_ptr table;
  {
    std::scoped_lock const lock(mutex_);
    table = catalog_->find(relation->schema + "." + relation->name);
    auto const* group = table ? catalog_->routing().find_group(table->group()) : nullptr;
    if (group && group->stage == stage::finalized)
      return table_ptr{};  // what came before it left the publication
  }
  if (!table || table->is_reference() || checked_.contains(relation.get()))
    return table && table->is_reference() ? table_ptr{} : table;
  for (auto const& column : relation->columns) {
    bool const known = column.name == names::version_column ||
                       std::any_of(table->sent.begin(), table->sent.end(),
                                   [&](auto const& mine) { return mine.name == column.name; });
    if (!known)
      return error{
          error_code::schema_drift,
          "table " + table->name() + " on shard " + options_.shard.node + " has a new column \"" +
              column.name + "\"",
          "bring the source's table and the generation to the same shape, then start the mirror again"};
  }
  for (auto const& mine : table->sent) {
    bool const is_there = std::any_of(relation->columns.begin(), relation->columns.end(),
                                      [&](auto const& column) { return mine.name == column.name; });
    if (!is_there)
      return error{error_code::schema_drift, "table " + table->name() + " on shard " + options_.shard.node +
                                                 " lacks column \"" + mine.name + "\""};
  }
  checked_.emplace(relation.get(), relation);
  return table;
}

result<std::vector<mirror_thread::planned>> mirror_thread::plan(decoded_transaction const& transaction) {
  std::vector<planned> changes;
  if (transaction.has_message) return changes;  // S16: ours
  for (auto const& change : transaction.changes) {
    if (auto const* row = std::get_if<row_event>(&change)) {
      if (row->relation->schema == names::schema) continue;
      BOOST_OUTCOME_TRYV(plan_row(*row, changes));
      continue;
    }
    for (auto const& relation : std::get<truncate_event>(change).relations) {  // S11
      BOOST_OUTCOME_TRY(auto const table, known_table(relation));
      if (table)
        return error{error_code::stream_broken,
                     "table " + table->name() + " was truncated on shard " + options_.shard.node +
                         ", but the source's copy holds all shards' rows",
                     "delete by shard key instead; compare the table before rolling back"};
    }
  }
  return changes;
}

// Fences and markers, in any transaction. A flip counts for the transactions after it.
result<> mirror_thread::read_ours(decoded_transaction const& transaction, std::int64_t& marker) {
  std::map<std::string, window_state> flipped;
  for (auto const& change : transaction.changes) {
    auto const* row = std::get_if<row_event>(&change);
    if (!row || row->relation->schema != names::schema) continue;
    if (row->relation->name == "marker" && row->after) {
      auto const* id = field_of(*row->relation, *row->after, "id");
      if (id) marker = std::max<std::int64_t>(marker, std::stoll(*id));
    }
    BOOST_OUTCOME_TRY(auto const flip, fence_flip_of(*row));
    if (!flip) continue;
    auto const now = windows_.now(flip->group);
    auto [state, is_new] = flipped.try_emplace(flip->group, now ? *now : window_state{});
    state->second.set(flip->slots, flip->epoch, flip->is_open);
  }
  for (auto& [group, state] : flipped) {
    windows_.record(group, transaction.end, std::move(state));
    windows_changed_ = true;
  }
  return success();
}

result<> mirror_thread::check_window(followed_table const& table, stream_tuple const& tuple) {
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

result<> mirror_thread::plan_row(row_event const& row, std::vector<planned>& changes) {
  BOOST_OUTCOME_TRY(auto const table, known_table(row.relation));
  if (!table) return success();
  if (row.kind == row_event::kind_type::remove) {
    auto const where = tuple_for(*table, *row.relation, *row.before);
    BOOST_OUTCOME_TRYV(check_window(*table, where));
    changes.push_back({delete_of(*table, where), false, table->name()});
    return success();
  }
  auto const image = tuple_for(*table, *row.relation, *row.after);
  auto const where = row.before ? tuple_for(*table, *row.relation, *row.before) : image;
  BOOST_OUTCOME_TRYV(check_window(*table, where));
  if (row.kind == row_event::kind_type::insert)
    changes.push_back({insert_of(*table, image), true, table->name()});
  else
    changes.push_back({update_of(*table, where, image), true, table->name()});
  return success();
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
