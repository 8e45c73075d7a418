// Keeps I13.
#include "lib/write/lookup_keeper.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "lib/protocol/fence.hpp"
#include "lib/protocol/lookup.hpp"
#include "lib/store/first_error.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/base/test_switch.hpp"
#include "shardway/route/slot.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;
using entry_list = std::vector<lookup_entry>;

constexpr milliseconds aside_wait{2000};  // for one short transaction beside ours
constexpr char aside_lock_timeout[] = "500ms";
constexpr int claims_max = 8;  // of one value, where others claim it too

steady_time now() { return system_clock_source().now(); }

result<std::vector<rows>> all_of(result<std::vector<result<rows>>> answers) {
  if (!answers) return answers.error();
  BOOST_OUTCOME_TRYV(first_error(answers.value()));
  std::vector<rows> out;
  for (auto& one : answers.value()) out.push_back(std::move(one).value());
  return out;
}

std::string named(lookup_of_table const& table_lookup) {
  return "lookup \"" + table_lookup.lookup->name + "\" of " + table_lookup.table->manifest.table;
}

error taken(lookup_of_table const& table_lookup) {
  return error{error_code::constraint_violation,
               named(table_lookup) + " is unique, and another row has the value; nothing was written"}
      .with_server("23505", {});
}

// A lock that was not had in time is a deadlock for all that is known: the transaction is run again.
error as_retryable(error const& why, lookup_of_table const& table_lookup) {
  if (why.code() == error_code::constraint_violation) return why;
  if (why.sqlstate() != "55P03") return why.while_doing("keeping " + named(table_lookup));
  return error{
      error_code::serialization_failure,
      named(table_lookup) + ": another writer of the value did not end in time; nothing was written"};
}

// The log's entries by lookup, in the order in which the rows were written.
using entries_by_lookup = std::map<std::pair<std::string_view, std::string_view>, entry_list>;

std::string identity_of(lookup_entry const& entry) {
  return entry.lookup.table->manifest.table + '/' + entry.lookup.lookup->name + text_array(entry.texts) +
         text_array(entry.owner.shard_key) + text_array(entry.owner.row_key);
}

result<entries_by_lookup> entries_of(std::vector<lookup_change> const& changes) {
  entries_by_lookup out;
  std::set<std::string> seen;
  for (auto const& change : changes) {
    BOOST_OUTCOME_TRY(auto entries, lookup_entries(*change.table, change.image));
    for (auto& entry : entries) {
      if (!seen.insert(identity_of(entry)).second) continue;
      out[{change.table->manifest.table, entry.lookup.lookup->name}].push_back(std::move(entry));
    }
  }
  return out;
}

std::vector<slot_id> slots_of(entry_list const& entries) {
  std::vector<slot_id> slots;
  for (auto const& entry : entries) slots.push_back(slot_of(entry.value));
  return slots;
}

class keeper {
 public:
  keeper(fenced_call& call, call_target const& target, lent_session const& lent)
      : call_(call), target_(target), lent_(lent) {}

  result<> keep(entries_by_lookup const& all) {
    BOOST_OUTCOME_TRYV(lock(all));
    for (auto const& [name, entries] : all) {
      std::map<shard_id, entry_list> by_shard;
      for (auto const& entry : entries)
        by_shard[lookup_shard(*target_.current, entry.value)].push_back(entry);
      for (auto const& [shard, shard_entries] : by_shard) {
        auto const kept = shard_entries.front().lookup.lookup->unique ? claim(shard, shard_entries)
                                                                      : add(shard, shard_entries);
        if (!kept) return as_retryable(kept.error(), shard_entries.front().lookup);
      }
    }
    return success();
  }

 private:
  // Until our transaction ends nobody takes these mappings away: whoever wants to takes the same locks, and
  // then sees our rows or none.
  result<> lock(entries_by_lookup const& all) {
    std::vector<statement> locks;
    for (auto const& [name, entries] : all) {
      auto const& table_lookup = entries.front().lookup;
      if (table_lookup.lookup->unique && call_.options().isolation != isolation_level::read_committed)
        return error{
            error_code::statement_refused,
            named(table_lookup) + " is unique: its values are claimed under READ COMMITTED only",
            "write rows of " + table_lookup.table->manifest.table + " with isolation read_committed"};
      if (!guard_off("lookup_lock"))
        locks.push_back(lookup_lock_statement(table_lookup, slots_of(entries), table_lookup.lookup->unique));
    }
    BOOST_OUTCOME_TRYV(all_of(lent_.link->flush(locks, call_.deadline())));
    return success();
  }

  steady_time aside_until() const { return std::min(call_.deadline(), now() + aside_wait); }

  result<> add(shard_id shard, entry_list const& entries) {
    BOOST_OUTCOME_TRY(auto aside, call_.host().lend_aside(node_index{shard}, aside_until()));
    BOOST_OUTCOME_TRYV(aside.link->query(lookup_insert_statement(entries), aside_until()));
    return success();
  }

  // Who has each value once we have tried to.
  result<std::vector<std::optional<lookup_owner>>> add_and_read(shard_id shard,
                                                                std::span<lookup_entry const> entries) {
    BOOST_OUTCOME_TRY(auto aside, call_.host().lend_aside(node_index{shard}, aside_until()));
    statement const both[]{lookup_insert_statement(entries), lookup_holders_statement(entries)};
    BOOST_OUTCOME_TRY(auto const answers, all_of(aside.link->flush(both, aside_until())));
    std::vector<std::optional<lookup_owner>> holders;
    for (std::size_t i = 0; i < answers[1].size(); ++i)
      holders.push_back(parse_holder(entries[i].lookup, answers[1], i));
    return holders;
  }

  result<> claim(shard_id shard, entry_list const& entries) {
    BOOST_OUTCOME_TRY(auto const holders, add_and_read(shard, entries));
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (holders[i] != entries[i].owner) {
        BOOST_OUTCOME_TRYV(claim_from(shard, entries[i], holders[i]));
      }
    return success();
  }

  result<> claim_from(shard_id shard, lookup_entry const& entry, std::optional<lookup_owner> holder) {
    for (int i = 0; i < claims_max; ++i) {
      if (holder == entry.owner) return success();
      BOOST_OUTCOME_TRY(bool const still_ours, exists_here(entry, entry.owner));
      if (!still_ours) return success();  // this transaction has changed the row again
      if (holder) {
        BOOST_OUTCOME_TRY(bool const done, take_over(shard, entry, *holder));
        if (done) return success();
      }
      BOOST_OUTCOME_TRY(auto const again, add_and_read(shard, {&entry, 1}));
      holder = again.front();
    }
    return error{error_code::serialization_failure,
                 named(entry.lookup) + ": the value is claimed by many writers at once; nothing was written"};
  }

  result<bool> exists_here(lookup_entry const& entry, lookup_owner const& owner) {
    BOOST_OUTCOME_TRY(
        auto const found,
        lent_.link->query(row_holds_statement(entry.lookup, entry.texts, owner), call_.deadline()));
    return !found.empty();
  }

  // True: the value is ours. False: somebody else had it by then.
  result<bool> take_over(shard_id shard, lookup_entry const& entry, lookup_owner const& holder) {
    auto const& table = *entry.lookup.table;
    BOOST_OUTCOME_TRY(auto const key, key_from_texts(table, table.manifest.shard_key, holder.shard_key));
    auto const slot = slot_of(key);
    auto const& range = generation::authority_of(*target_.group, slot);
    auto const node = range.shard ? node_index{*range.shard} : source_node;
    auto const fence = fence_statement(target_.group->name, slot, range.epoch);
    if (node != target_.node) return take_over_at(node, fence, shard, entry, holder);
    if (slot != target_.slot) {
      BOOST_OUTCOME_TRYV(lent_.link->query(fence, call_.deadline()));
    }
    BOOST_OUTCOME_TRY(bool const exists, exists_here(entry, holder));
    if (exists) return taken(entry.lookup);
    return move_mapping(shard, entry, holder);
  }

  // The row that has the value may be in a transaction of its node: the lock waits for that to end, and keeps
  // others off until the mapping is ours.
  result<bool> take_over_at(node_index node, statement const& fence, shard_id shard,
                            lookup_entry const& entry, lookup_owner const& holder) {
    BOOST_OUTCOME_TRY(auto aside, call_.host().lend_aside(node, aside_until()));
    auto done = take_over_under(aside, fence, shard, entry, holder);
    if (!aside.link->is_broken()) (void)aside.link->simple("ROLLBACK", aside_until());
    return done;
  }

  result<bool> take_over_under(lent_session const& aside, statement const& fence, shard_id shard,
                               lookup_entry const& entry, lookup_owner const& holder) {
    std::vector<statement> all{{.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"},
                               {.sql = "SET LOCAL lock_timeout = '" + std::string(aside_lock_timeout) + "'"},
                               fence};
    if (!guard_off("lookup_lock"))
      all.push_back(lookup_lock_statement(entry.lookup, {slot_of(entry.value)}, true));
    all.push_back(row_holds_statement(entry.lookup, entry.texts, holder));
    BOOST_OUTCOME_TRY(auto const answers, all_of(aside.link->flush(all, aside_until())));
    if (!answers.back().empty()) return taken(entry.lookup);
    return move_mapping(shard, entry, holder);
  }

  result<bool> move_mapping(shard_id shard, lookup_entry const& entry, lookup_owner const& holder) {
    BOOST_OUTCOME_TRY(auto aside, call_.host().lend_aside(node_index{shard}, aside_until()));
    BOOST_OUTCOME_TRY(auto const moved,
                      aside.link->query(lookup_takeover_statement(entry, holder), aside_until()));
    return moved.affected() == 1;
  }

  fenced_call& call_;
  call_target const& target_;
  lent_session const& lent_;
};

}  // namespace

result<> keep_lookups(fenced_call& call, call_target const& target, lent_session const& lent) {
  BOOST_OUTCOME_TRY(auto const all, entries_of(call.log().lookups));
  if (all.empty()) return success();
  BOOST_OUTCOME_TRYV(keeper(call, target, lent).keep(all));
  if (stop_point("lookup_after_mapping")) return error{error_code::cancelled, "stopped by a test"};
  return success();
}

}  // namespace v0
}  // namespace shardway
