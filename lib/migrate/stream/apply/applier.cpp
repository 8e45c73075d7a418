#include "lib/migrate/stream/apply/applier.hpp"

#include <algorithm>

#include "lib/migrate/nodes/lacks_partition.hpp"
#include "lib/migrate/nodes/pause.hpp"
#include "lib/migrate/nodes/reconnect.hpp"
#include "lib/migrate/nodes/run_all.hpp"
#include "lib/protocol/conflict.hpp"
#include "lib/protocol/fence.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

constexpr std::chrono::milliseconds idle_wait{50};
constexpr std::chrono::milliseconds first_retry{20};
constexpr unsigned trim_every = 200;
constexpr unsigned blocked_tries_max = 20;

using nodes::lacks_partition;

// A unique value or an excluded range that goes from row to row (S15, AS12).
bool meets_other_rows(error const& failed) {
  return failed.sqlstate() == "23505" || failed.sqlstate() == "23P01";
}

}  // namespace

void applier::run() {
  while (!queue_.is_closed()) {
    auto served = serve();
    queue_.set_connected(false);
    if (served || queue_.is_closed()) return;
    if (!nodes::may_reconnect(served.error())) return queue_.set_failure(served.error());
    shard_.reset();
    source_.reset();
    pause(reconnect_pauses_);
  }
}

// After a lost connection `pending_` is sent again: the position that is read at the start says how much of
// it was committed.
result<> applier::serve() {
  BOOST_OUTCOME_TRYV(connect_and_read_position());
  while (!queue_.is_closed()) {
    if (!pending_) {
      auto taken = queue_.take(options_.limits.batch_changes_max, idle_wait, options_.limits.batch_wait);
      if (taken.items.empty() && !taken.tail.is_set()) continue;
      pending_ = std::move(taken);
    }
    BOOST_OUTCOME_TRYV(work(*pending_));
    pending_.reset();
    reconnect_pauses_.reset();
  }
  return success();
}

result<> applier::connect_and_read_position() {
  BOOST_OUTCOME_TRY(auto made, options_.open(options_.shard));
  shard_ = std::move(made);
  // Foreign keys and triggers do not fire: changes are finished images (F2). Each statement names rows by
  // their key, so that a plan which reads a table whole is never right, whatever the statistics say. Reading
  // the fence whole costs what forbids it, and a compiler for such a plan would take longer than the plan.
  BOOST_OUTCOME_TRYV(shard_->simple(
      "SET session_replication_role = replica; SET synchronous_commit = on; SET enable_seqscan = off; "
      "SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off"));
  BOOST_OUTCOME_TRY(auto const answer, shard_->query(read_progress_statement(names::source_stream)));
  BOOST_OUTCOME_TRY(position_, parse_progress(answer));
  // The queue does not hold batches before the committed position any more: going on would leave a gap that
  // nobody sees.
  if (queue_.is_known() && position_.applied < queue_.committed().applied)
    return error{
        error_code::stream_broken,
        "shard " + options_.shard.node + " has lost batches it had committed: changes between are missing",
        "the shard came back from a failover or a backup: its tables must be copied again"}
        .at_node(options_.shard.node);
  queue_.set_committed(position_, 0);
  queue_.set_known();
  queue_.set_connected(true);
  return forget_parked();
}

// A parked change that the stream is past has been repaired: its note goes.
result<> applier::forget_parked() {
  BOOST_OUTCOME_TRY(auto const answers,
                    run_all({{.sql = "BEGIN"},
                             engine_statement(options_.token, "stream"),
                             forget_parked_statement(position_.applied),
                             {.sql = "SELECT max(commit_lsn) FROM shardway.parked WHERE stream = 'source'"},
                             has_conflicts_statement(names::source_stream),
                             {.sql = "COMMIT"}}));
  auto const newest = answers[3].at(0, 0);
  parked_until_ = newest ? lsn::parse(*newest).value_or(lsn{}) : lsn{};
  has_conflicts_ = answers[4].boolean(0, 0);
  return success();
}

result<> applier::work(apply_queue::taken& taken) {
  if (taken.items.empty()) return idle(taken.tail);
  auto const changes = [&] {
    std::size_t count = 0;
    for (auto const& item : taken.items) count += item.changes.size();
    return count;
  };
  auto const timed = std::find_if(taken.items.begin(), taken.items.end(),
                                  [](auto const& item) { return item.commit_time != 0; });
  queue_.set_in_flight(changes(), timed == taken.items.end() ? 0 : timed->commit_time);
  return apply(taken);
}

// The position of an idle shard moves on, so that it does not hold back the source's WAL; not for each
// keep-alive.
result<> applier::idle(lsn tail) {
  auto const now = system_clock_source().now();
  if (tail <= position_.applied || now < next_idle_) return success();
  next_idle_ = now + options_.limits.idle_progress;
  auto next = position_;
  next.applied = tail;
  BOOST_OUTCOME_TRYV(run_all({{.sql = "BEGIN"}, engine_statement(options_.token, "stream")}));
  return commit_position(next, 0, {});
}

result<> applier::apply(apply_queue::taken& taken) {
  auto pauses = retry_pauses();
  for (unsigned tries = 1; !queue_.is_closed(); ++tries) {
    drop_applied(taken.items);
    BOOST_OUTCOME_TRY(auto outcome, attempt(taken, false));
    if (outcome == verdict::one_by_one) {
      BOOST_OUTCOME_TRY(outcome, attempt(taken, true));
    }
    if (outcome == verdict::done) return success();
    if (outcome == verdict::blocked && tries > blocked_tries_max) return park();
    if (outcome == verdict::blocked) {
      BOOST_OUTCOME_TRYV(wait_for_blocker(taken));
    } else {
      pause(pauses);
    }
  }
  return success();
}

// S1: the replication slot sends again what it had sent; the position in the shard itself decides. A chunk's
// deferred changes have no position. Repeating them does no harm, and they are dropped with the batch that a
// later position proves committed.
void applier::drop_applied(std::vector<shard_item>& items) const {
  auto const newest = std::find_if(items.rbegin(), items.rend(), [&](auto const& item) {
    return item.end.is_set() && item.end <= position_.applied;
  });
  if (newest == items.rend()) return;
  if (sent_once_) {
    items.erase(items.begin(), newest.base());
    return;
  }
  std::erase_if(items, [&](auto const& item) { return item.end.is_set() && item.end <= position_.applied; });
}

applier::verdict applier::judge(error const& failed, bool one_by_one, bool& is_final) const {
  is_final = false;
  if (failed.code() == error_code::serialization_failure) return verdict::again;
  if (blocked_ && blocker_) return verdict::blocked;
  if (meets_other_rows(failed) && !one_by_one) return verdict::one_by_one;
  // The controller makes a partition that the source has and the shard lacks; until then the row waits.
  if (lacks_partition(failed)) return verdict::again;
  is_final = true;
  return verdict::again;
}

result<applier::verdict> applier::attempt(apply_queue::taken const& taken, bool one_by_one) {
  blocked_.reset();
  blocker_.reset();
  auto written = write(taken, one_by_one);
  if (written) {
    queue_.set_waiting({});
    return verdict::done;
  }
  auto const& failed = written.error();
  if (lacks_partition(failed)) queue_.set_waiting(failed.message());
  if (blocked_ && failed.sqlstate() == "23P01") blocker_ = taken.items.back().end;
  if (nodes::may_reconnect(failed) || shard_->is_broken()) {
    sent_once_ = true;
    return nodes::may_reconnect(failed) ? failed
                                        : error{error_code::connection_lost, failed.message(), failed.hint()};
  }
  if (auto undone = shard_->query({.sql = "ROLLBACK"}); !undone) return undone.error();
  bool is_final{};
  auto const next = judge(failed, one_by_one, is_final);
  if (!is_final) return next;
  if (blocked_) return park();
  return failed.while_doing("applying changes to shard " + options_.shard.node);
}

result<> applier::write(apply_queue::taken const& taken, bool one_by_one) {
  std::vector<stream_change> raw;
  for (auto const& item : taken.items) raw.insert(raw.end(), item.changes.begin(), item.changes.end());
  auto const changes = one_by_one ? std::move(raw) : net_effect(raw);
  BOOST_OUTCOME_TRYV(begin(changes));
  BOOST_OUTCOME_TRYV(empty_tables(taken.items));
  BOOST_OUTCOME_TRYV(forget_conflicts(changes));
  BOOST_OUTCOME_TRY(auto counted, write_in_order(changes, one_by_one));
  BOOST_OUTCOME_TRYV(take_receipts(taken.items, counted));
  return finish(taken, counted);
}

// Receipts are taken after the rows were written: a dual write that comes later finds its row there and
// leaves no receipt.
result<> applier::take_receipts(std::vector<shard_item> const& items, tally& counted) {
  std::vector<text_value> write_ids, ordinals;
  for (auto const& item : items) {
    write_ids.insert(write_ids.end(), item.write_ids.begin(), item.write_ids.end());
    ordinals.insert(ordinals.end(), item.ordinals.begin(), item.ordinals.end());
  }
  if (write_ids.empty()) return success();
  BOOST_OUTCOME_TRY(auto const answers, run_all({receipts_statement(write_ids, ordinals)}));
  counted.outbox = static_cast<std::int64_t>(write_ids.size());
  counted.duplicates = answers.front().affected();
  return success();
}

result<> applier::finish(apply_queue::taken const& taken, tally const& counted) {
  auto next = position_;
  std::vector<statement> statements;
  for (auto const& item : taken.items) {
    next.applied = std::max(next.applied, item.end);
    next.marker = std::max(next.marker, item.marker);
    next.totals.changes += static_cast<std::int64_t>(item.changes.size());
    next.totals.side_effects += item.side_effects;
    next.totals.foreign += item.foreign;
    for (auto const& flip : item.flips)
      statements.push_back(follow_statement(flip.group, flip.slots, flip.epoch));
  }
  for (auto const& item : taken.items) {
    if (item.paused.empty()) continue;
    std::vector<text_value> relations, reasons;
    for (auto const& one : item.paused) {
      relations.emplace_back(one.relation);
      reasons.emplace_back(one.reason);
    }
    statements.push_back(pause_statement(relations, reasons));
  }
  next.applied = std::max(next.applied, taken.tail);
  next.totals.outbox += counted.outbox;
  next.totals.duplicates += counted.duplicates;
  next.totals.healed += counted.outbox - counted.duplicates;
  next.totals.corrected += counted.corrected;
  return commit_position(next, taken.barrier, std::move(statements));
}

result<> applier::commit_position(stream_position const& next, std::uint64_t barrier,
                                  std::vector<statement> statements) {
  bool const is_apart = guard_off("progress_in_batch");
  bool const frees_parked = parked_until_.is_set() && parked_until_ <= next.applied;
  if (frees_parked) statements.push_back(forget_parked_statement(next.applied));
  if (!is_apart) statements.push_back(advance_statement(names::source_stream, next));
  if (!statements.empty()) {
    BOOST_OUTCOME_TRYV(run_all(statements));
  }
  if (stop_point("before_batch_commit")) return nodes::stopped_by_test("before_batch_commit");
  auto const outcome = shard_->commit();
  if (!outcome.is_committed()) {
    if (outcome.kind == commit_outcome_kind::in_doubt)
      return error{error_code::in_doubt,
                   "whether a batch was committed on shard " + options_.shard.node + " is not known yet"};
    return outcome.why.value_or(
        error{error_code::serialization_failure, "a batch was rolled back on shard " + options_.shard.node});
  }
  if (stop_point("after_batch_commit")) return nodes::stopped_by_test("after_batch_commit");
  if (is_apart) {
    BOOST_OUTCOME_TRYV(run_all({advance_statement(names::source_stream, next)}));
  }
  position_ = next;
  if (frees_parked) parked_until_ = {};
  sent_once_ = false;
  next_idle_ = system_clock_source().now() + options_.limits.idle_progress;
  queue_.set_committed(position_, barrier);
  if (++batches_ % trim_every == 0) {
    BOOST_OUTCOME_TRYV(run_all({trim_progress_statement(names::source_stream)}));
  }
  return success();
}

result<std::vector<rows>> applier::run_all(std::vector<statement> const& statements) {
  return nodes::run_all(*shard_, statements);
}

nodes::back_off applier::retry_pauses() const { return {first_retry, options_.limits.retry_delay_max}; }

void applier::pause(nodes::back_off& pauses) const {
  nodes::pause(pauses.next(), [this] { return queue_.is_closed(); });
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
