#include "lib/migrate/stream/read/transaction_router.hpp"

#include <algorithm>
#include <set>

#include "lib/migrate/stream/number_of.hpp"
#include "lib/migrate/stream/read/decoded_row.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

using kind_type = stream_change::kind_type;

std::string entry_name(std::string const& relation, std::vector<std::string> const& key) {
  std::string name = relation;
  for (auto const& value : key)
    name.append(1, '\x1f').append(std::to_string(value.size())).append(1, ':').append(value);
  return name;
}

std::optional<std::int64_t> number_in(std::string const* text) {
  return text ? number_of<std::int64_t>(*text) : std::nullopt;
}

error unreadable(std::string_view relation) {
  return error{error_code::protocol_violation,
               "the stream shows a row of shardway." + std::string(relation) + " that does not parse"};
}

std::string name_of(stream_relation const& relation) { return relation.schema + "." + relation.name; }

// What came contradicts what is known of the table: the changes of its group cannot be carried any more,
// those of the other groups can.
bool concerns_one_group(error const& failed) {
  return failed.code() == error_code::schema_drift || failed.code() == error_code::corrupt_data;
}

error outside_window(std::string const& table) {
  return error{error_code::stream_broken,
               "I1: an unmarked change to table " + table +
                   " on the source lies outside the source's window for its slot",
               "somebody wrote the source without the library, for slots that a shard has authority for: "
               "enable the write guard and compare the table"};
}

}  // namespace

struct transaction_router::routed_transaction {
  decoded_transaction const& transaction;
  std::vector<shard_item> items{};
  bool is_marked{};                                        // by the progress row of a mirror
  std::unordered_map<std::string, outbox_entry> outbox{};  // newest entry of each changed row
  std::unordered_map<std::string, slot_id> old_places{};   // of rows whose shard key changed
  std::unordered_map<std::string, slot_id> placed{};       // where changes of this transaction left a row
  std::vector<fence_flip> flips{};
  std::set<std::string> changed{};   // tables of which a row change or a TRUNCATE came
  std::set<std::string> captured{};  // tables that the outbox names
  stream_relation const* last_changed{};
};

bool transaction_router::is_empty(shard_item const& item) noexcept {
  return item.changes.empty() && item.write_ids.empty() && item.flips.empty() && item.truncated.empty() &&
         item.paused.empty() && item.marker == 0 && item.foreign == 0 && item.side_effects == 0;
}

result<std::vector<shard_item>> transaction_router::route(decoded_transaction const& transaction) {
  routed_transaction routed{transaction, std::vector<shard_item>(catalog_->shard_count())};
  for (auto const& change : transaction.changes)
    if (auto const* row = std::get_if<row_event>(&change); row && row->relation->schema == names::schema) {
      BOOST_OUTCOME_TRYV(read_ours(routed, *row));
    }
  // S13, S16: a transaction of a mirror is skipped whole. Fences and markers are ours in any transaction.
  if (!routed.is_marked || guard_off("mirror_mark")) {
    for (auto const& change : transaction.changes) {
      BOOST_OUTCOME_TRYV(route_change(routed, change));
    }
    check_outbox(routed);
  }
  finish_flips(routed);
  for (auto& item : routed.items) {
    item.end = transaction.end;
    item.commit_time = transaction.begin.commit_time;
  }
  return std::move(routed.items);
}

result<> transaction_router::route_change(routed_transaction& routed, decoded_change const& change) {
  auto const* row = std::get_if<row_event>(&change);
  if (!row) return route_truncate(routed, std::get<truncate_event>(change));
  if (row->relation->schema == names::schema) {
    route_leaf_truncate(routed, *row);
    return success();
  }
  if (routed.last_changed != row->relation.get()) routed.changed.insert(name_of(*row->relation));
  routed.last_changed = row->relation.get();
  auto const done = route_row(routed, *row);
  if (done || !concerns_one_group(done.error())) return done;
  auto const table = catalog_->find(name_of(*row->relation));
  if (!table) return done;
  pause(routed, table->group(), done.error().message());
  return success();
}

bool transaction_router::is_paused(table_ptr const& table) const { return paused_.contains(table->group()); }

// Nothing of the group's changes in this transaction is written any more. A note on each shard keeps reads
// from trusting the stream; it is committed with the position.
void transaction_router::pause(routed_transaction& routed, std::string const& group,
                               std::string const& reason) {
  if (!paused_.emplace(group, reason).second) return;
  windows_.set_changed(true);  // saved before anything past this transaction is confirmed
  for (auto& item : routed.items) {
    std::erase_if(item.changes, [&](auto const& change) { return change.table->group() == group; });
    std::erase_if(item.truncated, [&](auto const& emptied) { return emptied.table->group() == group; });
    for (auto const& [name, table] : catalog_->tables())
      if (table->group() == group) item.paused.push_back({name, reason});
  }
}

// AF7: a captured row is in the outbox and in the stream, in one transaction. Where the second is missing,
// the table is not published as it must be, and there is no telling what else was missed.
void transaction_router::check_outbox(routed_transaction& routed) {
  for (auto const& relation : routed.captured) {
    auto const table = routed.changed.contains(relation) ? table_ptr{} : catalog_->find(relation);
    if (table && copies_.find(relation))
      pause(routed, table->group(),
            "the outbox names a changed row of table " + relation +
                ", and the stream brought no change of it: the publication was changed");
  }
}

result<> transaction_router::read_ours(routed_transaction& routed, row_event const& row) const {
  if (!row.after) return success();
  auto const& name = row.relation->name;
  if (name == "stream_progress") routed.is_marked = true;
  if (name == "marker") return read_marker(routed, row);
  if (name == "outbox" || name.starts_with("outbox_")) return read_outbox(routed, row);
  return read_fence(routed, row);
}

result<> transaction_router::read_fence(routed_transaction& routed, row_event const& row) const {
  BOOST_OUTCOME_TRY(auto flip, fence_flip_of(row));
  if (flip) routed.flips.push_back(std::move(*flip));
  return success();
}

result<> transaction_router::read_marker(routed_transaction& routed, row_event const& row) const {
  if (leaf_truncate_of(row)) return success();  // nobody waits for it
  BOOST_OUTCOME_TRY(auto const id, marker_of(row));
  for (auto& item : routed.items) item.marker = std::max(item.marker, id);
  return success();
}

// The outbox is read here alone, as its rows commit: ids of their own would not come in commit order (S19).
result<> transaction_router::read_outbox(routed_transaction& routed, row_event const& row) const {
  auto const field = [&](std::string_view column) { return field_of(*row.relation, *row.after, column); };
  auto const bigint = number_in(field("version"));
  auto const version = bigint ? row_version::from_bigint(*bigint) : std::nullopt;
  auto const slot = number_in(field("slot"));
  auto const *write_id = field("write_id"), *ordinal = field("ordinal"), *relation = field("relation"),
             *operation = field("operation"), *keys = field("key_values");
  auto const key = keys ? parse_text_array(*keys) : std::nullopt;
  if (!version || !slot || *slot < 0 || *slot >= limits::slot_count || !write_id || !ordinal || !relation ||
      !operation || !key)
    return unreadable("outbox");
  auto const place = slot_id{static_cast<std::uint16_t>(*slot)};
  routed.captured.insert(*relation);
  if (*operation == "k") {
    routed.old_places.emplace(entry_name(*relation, *key),
                              place);  // the first one: where the row was before this transaction
    return success();
  }
  auto& entry = routed.outbox[entry_name(*relation, *key)];
  entry = {std::max(entry.version, *version), place};
  auto& item = routed.items[catalog_->shard_of(place)];
  item.write_ids.emplace_back(*write_id);
  item.ordinals.emplace_back(*ordinal);
  return success();
}

result<table_ptr> transaction_router::known_table(std::shared_ptr<stream_relation const> const& relation) {
  auto const table = catalog_->find(name_of(*relation));
  if (!table) return table;
  auto const* copy = copies_.find(table->name());
  if (!copy) return table_ptr{};  // no chunk is planned: a later snapshot will hold the change
  if (is_paused(table)) return table_ptr{};
  auto& known = checked_[relation.get()];
  if (known.table == table) return table;
  BOOST_OUTCOME_TRY(auto const types, type_names_(*relation));
  BOOST_OUTCOME_TRYV(check_relation(*table, *relation, types));
  known = {relation, table};
  return table;
}

std::shared_ptr<window_state const> transaction_router::windows_of(std::string const& group) {
  auto const* state = catalog_->routing().find_group(group);
  if (guard_off("window_from_wal") && state)
    return std::make_shared<window_state const>(first_windows(*state, std::nullopt));
  if (auto known = windows_.now(group)) return known;
  // A group that just joined: its first generation says where it starts; from then on only the WAL tells.
  windows_.record(group, lsn{}, state ? first_windows(*state, std::nullopt) : window_state{});
  return windows_.now(group);
}

stream_change transaction_router::change_of(routed_transaction& routed, kind_type kind,
                                            table_ptr const& table, std::vector<std::string> key,
                                            std::optional<slot_id> slot) {
  stream_change change{
      .kind = kind, .table = table, .key = std::move(key), .xid = routed.transaction.begin.xid};
  auto const windows = windows_of(table->group());
  auto const found = routed.outbox.find(entry_name(table->name(), change.key));
  change.has_outbox = found != routed.outbox.end();
  auto const since = slot ? windows->of(*slot).epoch : windows->highest_open();
  change.version = change.has_outbox
                       ? found->second.version
                       : row_version::make(since, routed.transaction.begin.final_lsn).value_or(row_version{});
  if (kind == kind_type::locate && !windows->is_open_everywhere()) change.windows = windows;
  return change;
}

result<> transaction_router::route_row(routed_transaction& routed, row_event const& row) {
  BOOST_OUTCOME_TRY(auto const table, known_table(row.relation));
  if (!table) return success();
  if (row.kind == row_event::kind_type::remove) return route_remove(routed, row, table);
  auto image = image_of(row);
  BOOST_OUTCOME_TRY(auto key, key_of(*table, image));
  std::optional<slot_id> slot;
  if (!table->is_reference()) {
    BOOST_OUTCOME_TRY(slot, slot_of_tuple(*table, image));
    if (!slot && row.before) {
      BOOST_OUTCOME_TRY(slot, slot_of_tuple(*table, *row.before));
    }
    auto const entry = routed.outbox.find(entry_name(table->name(), key));
    if (!slot && entry != routed.outbox.end()) slot = entry->second.slot;
    if (!slot)
      return error{error_code::stream_broken,
                   "a row of table " + table->name() + " came without its shard key",
                   "shard keys must be NOT NULL and stored in the row"};
  } else {
    slot = slot_id{0};
  }
  if (row.kind == row_event::kind_type::update) {
    auto old_key = key;
    if (row.before) {
      BOOST_OUTCOME_TRY(old_key, key_of(*table, *row.before));
    }
    std::optional<std::size_t> const now_on =
        table->is_reference() ? std::nullopt : std::optional{catalog_->shard_of(*slot)};
    BOOST_OUTCOME_TRYV(route_old_place(routed, row, table, old_key, now_on, old_key != key));
  }
  if (!table->is_reference()) routed.placed[entry_name(table->name(), key)] = *slot;
  auto change = change_of(routed, kind_type::upsert, table, std::move(key), slot);
  change.image = std::move(image);
  return emit(routed, std::move(change), slot);
}

// Where the row was before: under another primary key, or on another shard (W20).
result<> transaction_router::route_old_place(routed_transaction& routed, row_event const& row,
                                             table_ptr const& table, std::vector<std::string> const& old_key,
                                             std::optional<std::size_t> now_on, bool key_changed) {
  if (table->is_reference()) {
    if (!key_changed) return success();
    return emit(routed, change_of(routed, kind_type::remove, table, old_key, slot_id{0}), slot_id{0});
  }
  BOOST_OUTCOME_TRY(auto const slot, old_slot(routed, row, *table, old_key));
  if (slot && !key_changed && catalog_->shard_of(*slot) == now_on) return check_window(*table, *slot);
  if (slot) return emit(routed, change_of(routed, kind_type::remove, table, old_key, slot), slot);
  // No old shard key was told: it did not change, so that the row was where it is now.
  if (!key_changed) return success();
  return emit(routed, change_of(routed, kind_type::locate, table, old_key, std::nullopt), std::nullopt);
}

result<std::optional<slot_id>> transaction_router::old_slot(routed_transaction& routed, row_event const& row,
                                                            followed_table const& table,
                                                            std::vector<std::string> const& old_key) const {
  if (row.before) {
    BOOST_OUTCOME_TRY(auto const slot, slot_of_tuple(table, *row.before));
    if (slot) return slot;
  }
  auto const name = entry_name(table.name(), old_key);
  if (auto const placed = routed.placed.find(name); placed != routed.placed.end())
    return std::optional{placed->second};
  auto const moved = routed.old_places.find(name);
  if (moved == routed.old_places.end()) return std::optional<slot_id>{};
  return std::optional{moved->second};
}

result<> transaction_router::route_remove(routed_transaction& routed, row_event const& row,
                                          table_ptr const& table) {
  BOOST_OUTCOME_TRY(auto key, key_of(*table, *row.before));
  if (table->is_reference())
    return emit(routed, change_of(routed, kind_type::remove, table, std::move(key), slot_id{0}), slot_id{0});
  BOOST_OUTCOME_TRY(auto slot, slot_of_tuple(*table, *row.before));
  auto const entry = routed.outbox.find(entry_name(table->name(), key));
  if (!slot && entry != routed.outbox.end()) slot = entry->second.slot;
  auto const kind = slot ? kind_type::remove : kind_type::locate;
  return emit(routed, change_of(routed, kind, table, std::move(key), slot), slot);
}

result<> transaction_router::check_window(followed_table const& table, slot_id slot) {
  if (!windows_of(table.group())->of(slot).is_open) return outside_window(table.name());
  return success();
}

result<> transaction_router::emit(routed_transaction& routed, stream_change change,
                                  std::optional<slot_id> slot) {
  if (slot) {
    BOOST_OUTCOME_TRYV(check_window(*change.table, *slot));
  }
  if (slot && !change.table->is_reference()) {
    auto const shard = catalog_->shard_of(*slot);
    count(routed, change, shard, slot);
    return emit_to(routed, shard, std::move(change));
  }
  count(routed, change, 0, slot);
  for (std::size_t shard = 0; shard < routed.items.size(); ++shard) {
    BOOST_OUTCOME_TRYV(emit_to(routed, shard, change));
  }
  return success();
}

result<> transaction_router::emit_to(routed_transaction& routed, std::size_t shard, stream_change change) {
  followed_chunk* chunk{};
  BOOST_OUTCOME_TRY(auto const route, copies_.route(change, &chunk));
  if (route == chunk_route::skip) return success();
  if (route == chunk_route::apply) {
    routed.items[shard].changes.push_back(std::move(change));
    return success();
  }
  copies_.defer(*chunk, shard, std::move(change));
  if (copies_.deferred_bytes() <= deferred_bytes_max_) return success();
  return error{
      error_code::stream_broken, "the changes kept for chunks under copy take more than deferred_bytes_max",
      "raise engine_limits::deferred_bytes_max or copy with smaller chunks; what was copied is kept"};
}

// A change without an outbox row: of a trigger or cascade if its transaction has one, of a writer that
// bypasses the library if it has none.
void transaction_router::count(routed_transaction& routed, stream_change const& change, std::size_t shard,
                               std::optional<slot_id> slot) const {
  if (change.has_outbox || change.table->is_reference()) return;
  auto const* group = catalog_->routing().find_group(change.table->group());
  if (!group || group->stage < stage::dual_writing || group->stage == stage::finalized) return;
  if (!routed.outbox.empty()) {
    ++routed.items[shard].side_effects;
    return;
  }
  // Transactions from before the stage began belong to an older epoch.
  auto const windows = windows_.now(change.table->group());
  auto const place = slot.value_or(slot_id{0});
  if (windows && windows->of(place).epoch < generation::authority_of(*group, place).epoch) return;
  ++routed.items[shard].foreign;
}

result<> transaction_router::route_truncate(routed_transaction& routed, truncate_event const& event) {
  for (auto const& relation : event.relations) {
    if (relation->schema == names::schema) continue;
    routed.changed.insert(name_of(*relation));
    auto const known = known_table(relation);
    if (!known && concerns_one_group(known.error())) {
      pause(routed, catalog_->find(name_of(*relation))->group(), known.error().message());
      continue;
    }
    if (!known) return known.error();
    auto const& table = known.value();
    auto* copy = table ? copies_.find(table->name()) : nullptr;
    if (!copy) continue;
    copies_.empty(*copy, routed.transaction.end);
    auto const windows = windows_of(table->group());
    auto const version = row_version::make(windows->highest_open(), routed.transaction.begin.final_lsn)
                             .value_or(row_version{});
    for (auto& item : routed.items) {
      std::erase_if(item.changes, [&](auto const& change) { return change.table == table; });
      item.truncated.push_back({table, version});
    }
  }
  return success();
}

// As a TRUNCATE of the table for its chunks: which of their rows were in the partition is not known.
void transaction_router::route_leaf_truncate(routed_transaction& routed, row_event const& row) {
  auto const emptied = leaf_truncate_of(row);
  auto const table = emptied ? catalog_->find(emptied->table) : table_ptr{};
  auto* copy = table && !is_paused(table) ? copies_.find(table->name()) : nullptr;
  if (!copy) return;
  copies_.empty(*copy, routed.transaction.end);
  auto const since = windows_of(table->group())->highest_open();
  auto const version = row_version::make(since, routed.transaction.begin.final_lsn).value_or(row_version{});
  for (auto& item : routed.items)
    item.changes.push_back({.kind = kind_type::empty,
                            .table = table,
                            .key = {emptied->leaf},
                            .version = version,
                            .xid = routed.transaction.begin.xid});
}

void transaction_router::finish_flips(routed_transaction& routed) {
  for (auto const& flip : routed.flips) {
    windows_of(flip.group);  // a group that just joined has its first windows before its first flip
    for (auto const& placed : catalog_->routing().placement) {
      if (!placed.slots.overlaps(flip.slots)) continue;
      slot_range const of_shard{std::max(placed.slots.first, flip.slots.first),
                                std::min(placed.slots.last, flip.slots.last)};
      routed.items[placed.shard.value()].flips.push_back({flip.group, of_shard, flip.epoch});
    }
  }
  record_flips(windows_, routed.flips, routed.transaction.end);
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
