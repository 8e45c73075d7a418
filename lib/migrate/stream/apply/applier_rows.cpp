// How the applier writes the rows of a batch: as a whole, or one by one where a unique value goes from row to
// row.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "lib/migrate/stream/apply/applier.hpp"
#include "lib/migrate/stream/snapshot.hpp"
#include "lib/migrate/stream/table_sql.hpp"
#include "lib/protocol/conflict.hpp"
#include "lib/protocol/fence.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/place.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

using kind_type = stream_change::kind_type;

std::string mask_of(stream_change const& change) {
  std::string mask;
  for (auto const& value : change.image) mask += value.kind == stream_value::kind_type::unchanged ? 'u' : 'p';
  return mask;
}

// One list for each table and set of columns that are there.
std::vector<change_list> lists_of(std::vector<stream_change> const& net, kind_type kind) {
  std::map<std::pair<std::uint64_t, std::string>, change_list> lists;
  for (auto const& change : net)
    if (change.kind == kind) lists[{change.table->id, mask_of(change)}].push_back(&change);
  std::vector<change_list> out;
  for (auto& [which, list] : lists) out.push_back(std::move(list));
  return out;
}

change_list with_outbox(change_list const& all) {
  change_list some;
  std::copy_if(all.begin(), all.end(), std::back_inserter(some),
               [](auto const* change) { return change->has_outbox; });
  return some;
}

change_list removed_of(std::vector<stream_change> const& changes) {
  change_list removed;
  for (auto const& change : changes)
    if (change.kind == kind_type::remove || change.kind == kind_type::locate) removed.push_back(&change);
  return removed;
}

std::set<std::string> groups_where_keys_move(std::vector<stream_change> const& changes) {
  std::set<std::string> groups;
  for (auto const& change : changes)
    if (!change.table->key_holds_place) groups.insert(change.table->group());
  return groups;
}

}  // namespace

// Locks in the order in which the guarded apply takes them: of keys, then of the fence, which stays as it is
// read here until the batch commits (AP10).
result<> applier::begin(std::vector<stream_change> const& changes) {
  std::vector<statement> statements{{.sql = "BEGIN"}, engine_statement(options_.token, "stream")};
  if (auto const removed = removed_of(changes); !removed.empty() && !guard_off("key_lock"))
    statements.push_back(key_locks_statement(removed));
  auto const groups = groups_where_keys_move(changes);
  for (auto const& group : groups) {
    statements.push_back(fence_lock_statement(group));
    statements.push_back(has_authority_statement(group));
  }
  BOOST_OUTCOME_TRY(auto const answers, run_all(statements));
  split_groups_.clear();
  auto position = answers.size() - 2 * groups.size();
  for (auto const& group : groups) {
    if (answers[position + 1].boolean(0, 0)) split_groups_.insert(group);
    position += 2;
  }
  return success();
}

row_naming applier::naming_of(followed_table const& table) const {
  bool const by_place =
      !table.key_holds_place && split_groups_.contains(table.group()) && !guard_off("key_and_place");
  return by_place ? row_naming::key_and_place : row_naming::key;
}

// Deletes go first, so that a unique value that a deleted row had is free for another.
result<applier::tally> applier::write_net(std::vector<stream_change> const& net) {
  return write_lists(removed_of(net), lists_of(net, kind_type::upsert), false);
}

// Single changes of one transaction may follow each other on one row under one version: there the later image
// counts.
result<applier::tally> applier::write_lists(change_list const& removed, std::vector<change_list> const& lists,
                                            bool is_single) {
  std::vector<statement> statements;
  std::map<std::uint64_t, change_list> deletes;
  for (auto const* change : removed) {
    if (change->kind == kind_type::locate)
      statements.push_back(locate_statement(*change, naming_of(*change->table)));
    else
      deletes[change->table->id].push_back(change);
  }
  for (auto const& [id, list] : deletes)
    statements.push_back(delete_statement(list, naming_of(*list.front()->table)));
  std::vector<std::size_t> corrections;
  std::vector<std::pair<std::size_t, change_list const*>> checks;
  for (auto const& list : lists) {
    auto const naming = naming_of(*list.front()->table);
    statements.push_back(is_partial(*list.front()) ? partial_statement(list, naming)
                                                   : upsert_statement(list, naming));
    if (naming == row_naming::key_and_place) {
      checks.emplace_back(statements.size(), &list);
      statements.push_back(held_statement(list));
    }
    auto const captured = is_single ? list : with_outbox(list);
    if (captured.empty() || guard_off("equal_version_compare")) continue;
    corrections.push_back(statements.size());
    statements.push_back(correct_statement(captured, naming));
  }
  BOOST_OUTCOME_TRY(auto const answers, run_all(statements));
  tally counted;
  for (auto const position : corrections) counted.corrected += answers[position].affected();
  for (auto const& [position, list] : checks) {
    BOOST_OUTCOME_TRYV(note_held(*list, answers[position]));
  }
  for (auto const& list : lists)
    if (is_partial(*list.front())) {
      BOOST_OUTCOME_TRYV(fill_missing(list));
    }
  return counted;
}

// S8: an update that left a large value alone presumes the row. Where it is not there, the whole row comes
// from the source.
result<> applier::fill_missing(change_list const& same_columns) {
  BOOST_OUTCOME_TRY(auto const answers, run_all({missing_statement(same_columns)}));
  for (std::size_t i = 0; i < answers.front().size(); ++i) {
    BOOST_OUTCOME_TRY(auto const number, answers.front().integer(i, 0));
    BOOST_OUTCOME_TRYV(fetch_row(*same_columns[static_cast<std::size_t>(number - 1)]));
  }
  return success();
}

// A one-key chunk (V8): the row is read in a snapshot that shows all the stream has passed. It is written
// only if the shard still lacks it, under the version of the change that asked for it. If the source lacks it
// too, a delete follows in the stream.
result<> applier::fetch_row(stream_change const& change) {
  BOOST_OUTCOME_TRY(auto const found, read_row(change));
  if (found.empty()) return success();
  auto whole = change;
  for (std::size_t i = 0; i < whole.image.size(); ++i) {
    auto const value = found.at(0, i);
    whole.image[i] =
        value ? stream_value{stream_value::kind_type::text, std::string(*value)} : stream_value{};
  }
  if (!options_.is_mine(*whole.table, whole.image)) return success();
  change_list const one{&whole};
  auto const naming = naming_of(*whole.table);
  if (naming == row_naming::key) {
    BOOST_OUTCOME_TRYV(run_all({upsert_statement(one, naming)}));
    return success();
  }
  BOOST_OUTCOME_TRY(auto const answers, run_all({upsert_statement(one, naming), held_statement(one)}));
  return note_held(one, answers[1]);
}

result<rows> applier::read_row(stream_change const& change) {
  if (!source_ || source_->is_broken()) {
    BOOST_OUTCOME_TRY(source_, options_.open(options_.source));
  }
  auto pauses = retry_pauses();
  while (!queue_.is_closed()) {
    BOOST_OUTCOME_TRY(auto const snapshot, begin_snapshot(*source_));
    auto found = source_->query(fetch_statement(change));
    BOOST_OUTCOME_TRYV(source_->query({.sql = "ROLLBACK"}));
    if (!found) return found.error();
    if (options_.shows_all_passed(snapshot)) return found;
    pause(pauses);
  }
  return error{error_code::cancelled, "the engine is stopping"};
}

// AP10: a change whose key another place's row holds is noted, never dropped in silence, and the stream goes
// on. A row that is gone again was in the way when the change was tried: the batch is tried again.
result<> applier::note_held(change_list const& same_columns, rows const& held) {
  for (std::size_t i = 0; i < held.size(); ++i) {
    BOOST_OUTCOME_TRY(auto const number, held.integer(i, 0));
    auto const& change = *same_columns[static_cast<std::size_t>(number - 1)];
    if (held.at(i, 2)) {
      BOOST_OUTCOME_TRYV(note_conflict(change, std::string(held.text(i, 1)), std::string(held.text(i, 2)),
                                       "a row of another place has the primary key"));
    } else if (!is_partial(change)) {
      return error{error_code::serialization_failure, "a row that held the key of a change is gone again"};
    }
  }
  return success();
}

result<> applier::note_conflict(stream_change const& change, std::string held_slot, std::string held_version,
                                std::string reason) {
  BOOST_OUTCOME_TRY(auto const slot, slot_of_tuple(*change.table, change.image));
  has_conflicts_ = true;
  BOOST_OUTCOME_TRYV(run_all(note_conflict_statements({.stream = std::string(names::source_stream),
                                                       .relation = change.table->name(),
                                                       .key = change.key,
                                                       .slot = slot ? std::to_string(slot->value()) : "",
                                                       .held_slot = std::move(held_slot),
                                                       .version = std::to_string(change.version.bigint()),
                                                       .held_version = std::move(held_version),
                                                       .reason = std::move(reason)})));
  return success();
}

// What this batch still cannot write is noted anew.
result<> applier::forget_conflicts(std::vector<stream_change> const& changes) {
  if (!has_conflicts_) return success();
  std::map<std::string, std::vector<std::vector<std::string>>> keys;
  for (auto const& change : changes)
    if (change.kind != kind_type::empty) keys[change.table->name()].push_back(change.key);
  std::vector<statement> statements;
  for (auto const& [relation, list] : keys)
    statements.push_back(forget_conflicts_statement(names::source_stream, relation, list));
  BOOST_OUTCOME_TRYV(run_all(statements));
  return success();
}

// A partition that was emptied divides the changes: what came before it is written first (AP5a).
result<applier::tally> applier::write_in_order(std::vector<stream_change> const& changes, bool one_by_one) {
  auto const write_some = [&](std::vector<stream_change> const& some) {
    return one_by_one ? write_one_by_one(some) : write_net(some);
  };
  auto const is_emptying = [](stream_change const& change) { return change.kind == kind_type::empty; };
  auto emptied = std::find_if(changes.begin(), changes.end(), is_emptying);
  if (emptied == changes.end()) return write_some(changes);
  tally counted;
  for (auto first = changes.begin();;) {
    BOOST_OUTCOME_TRY(auto const some, write_some({first, emptied}));
    counted.corrected += some.corrected;
    if (emptied == changes.end()) return counted;
    BOOST_OUTCOME_TRYV(empty_partition(*emptied));
    first = std::next(emptied);
    emptied = std::find_if(first, changes.end(), is_emptying);
  }
}

// S15: within a batch a unique value may go from row to row in an order that the net effect has lost.
result<applier::tally> applier::write_one_by_one(std::vector<stream_change> const& raw) {
  tally counted;
  for (auto const& change : raw) {
    change_list const one{&change};
    bool const is_upsert = change.kind == kind_type::upsert;
    BOOST_OUTCOME_TRYV(run_all({{.sql = "SAVEPOINT change"}}));
    auto written = is_upsert ? write_lists({}, {one}, true) : write_lists(one, {}, true);
    if (!written && written.error().sqlstate() == "23505") {
      BOOST_OUTCOME_TRY(bool const goes_on, note_blocker(change, written.error()));
      if (!goes_on) return written.error();
    } else if (!written) {
      if (written.error().sqlstate() == "23P01") blocked_ = change;
      return written.error();
    } else if (change.has_outbox) {
      counted.corrected += written.value().corrected;
    }
    BOOST_OUTCOME_TRYV(run_all({{.sql = "RELEASE SAVEPOINT change"}}));
  }
  return counted;
}

// S14: the row in the way is newer if a dual write was faster than the stream. Then the change that frees the
// value is still to come in the stream. AP10: a row that the shard has authority for stays: true, the change
// is noted as a conflict, and the batch goes on without it.
result<bool> applier::note_blocker(stream_change const& change, error const& failed) {
  blocked_ = change;
  auto const expressions = unique_expressions(failed.server_detail());
  BOOST_OUTCOME_TRYV(run_all({{.sql = "ROLLBACK TO SAVEPOINT change"}}));
  if (expressions.empty()) return false;
  std::vector<statement> statements{blocker_statement(change, expressions)};
  if (!change.table->is_reference())
    statements.insert(statements.begin(), fence_lock_statement(change.table->group()));
  BOOST_OUTCOME_TRY(auto const answers, run_all(statements));
  auto const& holder = answers.back();
  if (!holder.at(0, 0)) return false;
  if (holder.at(0, 1) && !guard_off("key_and_place")) {
    blocked_.reset();
    BOOST_OUTCOME_TRYV(note_conflict(change, std::string(holder.text(0, 1)), std::string(holder.text(0, 0)),
                                     "a row of another place has a unique value of it"));
    return true;
  }
  BOOST_OUTCOME_TRY(auto const held, holder.integer(0, 0));
  auto const version = row_version::from_bigint(held);
  if (version && *version > change.version) blocker_ = version->position();
  return false;
}

// The batch grows until it holds the transaction that freed the value; then the net effect fits. Nothing is
// committed out of order.
result<> applier::wait_for_blocker(apply_queue::taken& taken) {
  auto const deadline = system_clock_source().now() + options_.limits.parked_wait;
  while (!queue_.is_closed() && system_clock_source().now() < deadline) {
    auto more = queue_.take(options_.limits.batch_changes_max, std::chrono::milliseconds(20),
                            std::chrono::milliseconds(0));
    for (auto& item : more.items) {
      for (auto const& [table, version] : item.truncated)
        for (auto& earlier : taken.items)
          std::erase_if(earlier.changes, [&](auto const& change) { return change.table == table; });
      taken.items.push_back(std::move(item));
    }
    if (more.tail.is_set()) taken.tail = more.tail;
    taken.barrier = std::max(taken.barrier, more.barrier);
    auto const reached = std::find_if(taken.items.begin(), taken.items.end(),
                                      [&](auto const& item) { return item.end > *blocker_; });
    if (reached != taken.items.end() || taken.tail > *blocker_) return success();
  }
  return queue_.is_closed() ? error{error_code::cancelled, "the engine is stopping"} : park();
}

// Names the table, never the key: the digest lets an operator who has the key find it again.
error applier::park() {
  auto const& change = *blocked_;
  auto const written =
      run_all({{.sql = "BEGIN"},
               engine_statement(options_.token, "stream"),
               {.sql = "INSERT INTO shardway.parked (stream, relation, key_digest, reason, commit_lsn) "
                       "SELECT 'source', $1::text, "
                       "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to($2::text, 'UTF8')), "
                       "'hex'), 'unique value held by another row', $3::pg_lsn",
                .parameters = {change.table->name(),
                               text_array(std::vector<text_value>(change.key.begin(), change.key.end())),
                               change.version.position().to_string()}},
               {.sql = "COMMIT"}});
  if (!written && written.error().code() != error_code::sql_error) return written.error();
  return error{error_code::stream_broken,
               "a change to table " + change.table->name() + " cannot be applied on shard " +
                   options_.shard.node +
                   ": another row holds a unique value of it, and nothing in the stream frees it",
               "see shardway.parked on the shard; remove the row in the way, then start the stream again"}
      .at_node(options_.shard.node);
}

// As `empty_tables`, for one partition. Where the shard has no such partition there is nothing of it; the
// watch names the difference.
result<> applier::empty_partition(stream_change const& change) {
  auto const& table = *change.table;
  auto const target = names::quoted_table(change.key.front());
  BOOST_OUTCOME_TRY(auto const there,
                    run_all({{.sql = "SELECT 1 FROM pg_catalog.pg_partition_tree($1::regclass) AS p WHERE "
                                     "p.relid = pg_catalog.to_regclass($2)",
                              .parameters = {names::quoted_table(table.name()), target}}}));
  if (there.front().empty()) return success();
  auto sql = absl::StrCat("DELETE FROM ", target, " AS t WHERE t.", std::string(names::version_column),
                          " <= ", change.version.bigint());
  std::vector<statement> statements{{.sql = "LOCK TABLE " + target + " IN SHARE ROW EXCLUSIVE MODE"}};
  if (!table.is_reference()) {
    statements.push_back(fence_lock_statement(table.group()));
    absl::StrAppend(&sql, " AND ", outside_authority(table));
  }
  statements.push_back({.sql = std::move(sql)});
  BOOST_OUTCOME_TRYV(run_all(statements));
  return success();
}

// CP8: a TRUNCATE of the source empties only what the shard has no authority for. The table lock makes it a
// barrier for late dual writes.
result<> applier::empty_tables(std::vector<shard_item> const& items) {
  for (auto const& item : items) {
    for (auto const& [table, version] : item.truncated) {
      auto const target = names::quoted_table(table->name());
      auto sql = absl::StrCat("DELETE FROM ", target, " AS t WHERE t.", std::string(names::version_column),
                              " <= ", version.bigint());
      std::vector<statement> statements{{.sql = "LOCK TABLE " + target + " IN SHARE ROW EXCLUSIVE MODE"}};
      if (!table->is_reference()) {
        statements.push_back(fence_lock_statement(table->group()));
        absl::StrAppend(&sql, " AND ", outside_authority(*table));
      }
      statements.push_back({.sql = std::move(sql)});
      BOOST_OUTCOME_TRYV(run_all(statements));
    }
  }
  return success();
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
