#include "lib/migrate/stream/followed_table.hpp"

#include <algorithm>
#include <atomic>

#include "lib/protocol/place.hpp"
#include "shardway/route/slot.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

result<std::size_t> position_of(followed_table const& table, std::string const& column) {
  for (std::size_t i = 0; i < table.sent.size(); ++i)
    if (table.sent[i].name == column) return i;
  return error{error_code::invalid_argument,
               "table " + table.name() + " has no stored column \"" + column + "\" that its manifest names"};
}

error drift(followed_table const& table, std::string what) {
  return error{error_code::schema_drift, "table " + table.name() + " in the stream: " + std::move(what),
               "give the shards' table and the generation the source's columns, then start the stream again"};
}

}  // namespace

result<table_ptr> follow_table(table_state const& state) {
  static std::atomic<std::uint64_t> last_id{0};
  auto table = std::make_shared<followed_table>();
  table->state = state;
  table->id = ++last_id;
  std::copy_if(state.columns.begin(), state.columns.end(), std::back_inserter(table->sent),
               [](auto const& column) { return !column.generated; });
  if (state.manifest.key.empty())
    return error{error_code::invalid_argument, "table " + state.manifest.table + " has no primary key"};
  for (auto const& column : state.manifest.key) {
    BOOST_OUTCOME_TRY(auto const position, position_of(*table, column));
    table->key.push_back(position);
  }
  table->key_holds_place = key_holds_place(state);
  if (table->is_reference()) return table_ptr{table};
  for (auto const& column : state.manifest.shard_key) {
    BOOST_OUTCOME_TRY(auto const position, position_of(*table, column));
    BOOST_OUTCOME_TRY(auto const type, key_column_of(table->sent[position].key_type()));
    table->shard_key.push_back(position);
    table->shard_key_types.push_back(type);
  }
  if (table->shard_key.empty())
    return error{error_code::invalid_argument, "table " + state.manifest.table + " has no shard key"};
  return table_ptr{table};
}

result<std::optional<slot_id>> slot_of_tuple(followed_table const& table, stream_tuple const& tuple) {
  std::vector<shard_key> columns;
  for (std::size_t i = 0; i < table.shard_key.size(); ++i) {
    auto const& value = tuple[table.shard_key[i]];
    if (value.kind != stream_value::kind_type::text) return std::optional<slot_id>{};
    BOOST_OUTCOME_TRY(auto column, shard_key::from_text(table.shard_key_types[i], value.text));
    columns.push_back(std::move(column));
  }
  if (columns.size() == 1) return std::optional{slot_of(columns.front())};
  BOOST_OUTCOME_TRY(auto const whole, shard_key::composite(columns));
  return std::optional{slot_of(whole)};
}

// S10: the error names what differs. S9: a delete has to name its row.
result<> check_relation(followed_table const& table, stream_relation const& relation,
                        std::vector<std::string> const& type_names) {
  auto const& columns = relation.columns;
  for (std::size_t i = 0; i < std::max(columns.size(), table.sent.size()); ++i) {
    if (i >= columns.size()) return drift(table, "column \"" + table.sent[i].name + "\" is gone");
    if (i >= table.sent.size()) return drift(table, "column \"" + columns[i].name + "\" is new");
    if (columns[i].name != table.sent[i].name)
      return drift(table, "column \"" + columns[i].name + "\" stands where \"" + table.sent[i].name +
                              "\" is expected");
    if (i < type_names.size() && type_names[i] != table.sent[i].type)
      return drift(table, "column \"" + columns[i].name + "\" is " + type_names[i] + " where " +
                              table.sent[i].type + " is expected");
  }
  if (relation.replica_identity == 'n')
    return drift(table, "its replica identity is NOTHING, so that deletes name no row");
  for (auto const column : table.key)
    if (!columns[column].in_replica_identity && relation.replica_identity != 'f')
      return drift(
          table, "column \"" + columns[column].name + "\" of the primary key is not in its replica identity");
  return success();
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
