#include "lib/migrate/stream/read/dispatcher.hpp"

#include <algorithm>

#include "lib/migrate/nodes/reader_takeover.hpp"
#include "lib/migrate/nodes/reconnect.hpp"
#include "lib/pg/change_stream.hpp"
#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

constexpr std::chrono::milliseconds event_wait{50};
constexpr std::chrono::milliseconds confirm_every{100};
constexpr std::chrono::milliseconds poll_every{500};
constexpr std::chrono::milliseconds room_wait{500};

steady_time now() { return system_clock_source().now(); }

std::size_t size_of_tuple(std::optional<stream_tuple> const& tuple) {
  std::size_t bytes = 0;
  if (tuple)
    for (auto const& value : *tuple) bytes += sizeof value + value.text.size();
  return bytes;
}

}  // namespace

dispatcher::dispatcher(dispatcher_options options, std::vector<std::shared_ptr<apply_queue>> queues)
    : options_(std::move(options)),
      queues_(std::move(queues)),
      router_(
          copies_, [this](stream_relation const& relation) { return type_names(relation); },
          options_.limits.deferred_bytes_max) {}

result<> dispatcher::prepare(std::shared_ptr<generation const> routing) {
  BOOST_OUTCOME_TRY(auto const source, helper());
  BOOST_OUTCOME_TRYV(update_generation(std::move(routing)));
  auto const name = names::forward_replication_slot(options_.migration);
  BOOST_OUTCOME_TRY(auto const held, find_replication_slot(*source, name));
  // S2, S3: lost or gone, as after a failover that did not carry it over. A fresh one would hide the gap.
  if (!held || held->is_lost())
    return error{error_code::stream_broken,
                 "replication slot " + name + " on the source " + (held ? "is lost" : "does not exist"),
                 "changes since are not known: the tables must be copied again"}
        .at_node(options_.source.node);
  start_ = held->confirmed_flush;
  BOOST_OUTCOME_TRYV(read_windows(*source));
  return read_chunks(*source);
}

void dispatcher::run() {
  for (unsigned tries = 0; !stopping_; ++tries) {
    auto const served = serve();
    is_connected_ = false;
    stream_.reset();
    if (served || stopping_) return;
    if (!nodes::may_reconnect(served.error())) return fail(served.error());
    helper_.reset();
    auto const until = now() + std::min(options_.limits.retry_delay_max,
                                        std::chrono::milliseconds(20) * (1u << std::min(tries, 7u)));
    while (!stopping_ && now() < until) sleep_for(std::chrono::milliseconds(10));
  }
}

void dispatcher::fail(error why) {
  std::scoped_lock const lock(mutex_);
  failure_ = std::move(why);
}

void dispatcher::refuse(error why) {
  fail(std::move(why));
  stop();
}

result<> dispatcher::serve() {
  for (auto const& queue : queues_)
    while (!queue->is_known() && !stopping_ && !queue->state().failure)
      sleep_for(std::chrono::milliseconds(5));
  if (stopping_) return success();
  BOOST_OUTCOME_TRYV(open_stream());
  is_connected_ = true;
  while (!stopping_) {
    BOOST_OUTCOME_TRY(auto event, stream_->next(std::min(now() + event_wait, next_confirm_)));
    if (event) {
      BOOST_OUTCOME_TRYV(take(std::move(*event)));
    }
    BOOST_OUTCOME_TRYV(maintain());
  }
  return success();
}

// Where the replication slot went back after a crash of the source (M7), we start from where all shards have
// been.
result<> dispatcher::open_stream() {
  BOOST_OUTCOME_TRYV(check_shards());
  BOOST_OUTCOME_TRY(auto const source, helper());
  auto const name = names::forward_replication_slot(options_.migration);
  BOOST_OUTCOME_TRY(auto const held, find_replication_slot(*source, name));
  open_.reset();
  auto const start = std::max(start_, confirmed());
  if (held && held->is_active) return nodes::end_other_reader(*source, name, options_.token);
  change_stream_options how{
      .replication_slot = name, .publications = {names::publication(options_.migration)}, .start = start};
  BOOST_OUTCOME_TRY(stream_, open_change_stream(options_.source, how));
  return success();
}

// S7: a shard behind the position that the source has forgotten has a gap, unless nothing was copied to it
// yet.
result<> dispatcher::check_shards() const {
  std::scoped_lock const lock(mutex_);
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    auto const applied = queues_[i]->committed().applied;
    if (applied >= start_) continue;
    for (auto const& [name, table] : catalog_->tables()) {
      if (!applied.is_set() && copies_.progress(name).chunks_closed == 0) continue;
      return error{error_code::stream_broken,
                   "shard " + catalog_->routing().migration.shards[i].name +
                       " has applied less than the source's replication slot has confirmed: changes between "
                       "are missing",
                   "the shard lost what it had committed (failover, restored backup): its tables must be "
                   "copied again"};
    }
  }
  return success();
}

result<> dispatcher::take(stream_event event) {
  if (auto* begin = std::get_if<begin_event>(&event)) {
    open_ = decoded_transaction{.begin = *begin};
  } else if (auto* row = std::get_if<row_event>(&event)) {
    auto const bytes = sizeof *row + size_of_tuple(row->before) + size_of_tuple(row->after);
    return take_row(std::move(*row), bytes);
  } else if (auto* truncate = std::get_if<truncate_event>(&event)) {
    return take_row(std::move(*truncate), sizeof *truncate);
  } else if (auto* commit = std::get_if<commit_event>(&event)) {
    if (!open_)
      return error{error_code::protocol_violation, "the stream ends a transaction that it has not begun"};
    open_->end = commit->end_lsn;
    BOOST_OUTCOME_TRYV(dispatch(*open_));
    open_.reset();
  } else if (auto* alive = std::get_if<keepalive_event>(&event); alive && !open_) {
    for (auto const& queue : queues_) queue->set_tail(alive->server_position);
    decoded_ = std::max(decoded_.load(), alive->server_position.value());
    if (guard_off("keepalive_with_queue")) {
      BOOST_OUTCOME_TRYV(stream_->confirm(alive->server_position));
    }
  }
  return success();
}

// S18: memory is bounded by stopping; nothing is spilled.
result<> dispatcher::take_row(std::variant<row_event, truncate_event> change, std::size_t bytes) {
  if (!open_) return error{error_code::protocol_violation, "the stream shows a change outside a transaction"};
  open_->bytes += bytes;
  if (open_->bytes > options_.limits.transaction_bytes_max)
    return error{error_code::stream_broken,
                 "a transaction of the source is larger than transaction_bytes_max",
                 "raise engine_limits::transaction_bytes_max and start the stream again: nothing of the "
                 "transaction was applied"};
  open_->changes.push_back(std::move(change));
  return success();
}

// Whole transactions in commit order; the cursor is the end of a commit, never the position of a row (S5).
result<> dispatcher::dispatch(decoded_transaction const& transaction) {
  if (transaction.end <= dispatched_) return success();  // sent again after a reconnect
  BOOST_OUTCOME_TRYV(wait_for_room());
  std::scoped_lock const lock(mutex_);
  BOOST_OUTCOME_TRY(auto items, router_.route(transaction));
  are_windows_dirty_ |= router_.take_windows_changed();
  for (std::size_t i = 0; i < items.size() && i < queues_.size(); ++i)
    if (!transaction_router::is_empty(items[i])) queues_[i]->put(std::move(items[i]));
  for (auto const& queue : queues_) queue->set_tail(transaction.end);
  passed_.add(transaction.begin.xid);
  dispatched_ = transaction.end;
  decoded_ = std::max(decoded_.load(), transaction.end.value());
  return success();
}

// A full queue holds the stream back, but the server must hear from us all the same.
result<> dispatcher::wait_for_room() {
  for (auto const& queue : queues_) {
    while (!stopping_ && !queue->wait_for_room(room_wait)) {
      if (auto const state = queue->state(); state.failure) return *state.failure;
      BOOST_OUTCOME_TRYV(maintain());
    }
  }
  return success();
}

result<> dispatcher::maintain() {
  if (now() >= next_poll_) {
    next_poll_ = now() + poll_every;
    BOOST_OUTCOME_TRYV(poll_source());
  }
  if (now() < next_confirm_) return success();
  next_confirm_ = now() + confirm_every;
  return confirm();
}

// I10: only what every shard has committed. Windows are saved first, so that a start from there finds them.
result<> dispatcher::confirm() {
  BOOST_OUTCOME_TRYV(save_windows());
  lsn smallest{};
  for (auto const& queue : queues_) {
    auto const applied = queue->committed().applied;
    if (!applied.is_set()) return success();
    smallest = smallest.is_set() ? std::min(smallest, applied) : applied;
  }
  if (!smallest.is_set()) return success();
  if (smallest > confirmed()) {
    if (stop_point("before_confirm"))
      return error{error_code::connection_lost, "stopped by a test at before_confirm"};
    confirmed_ = smallest.value();
  }
  return stream_->confirm(confirmed());
}

result<> dispatcher::poll_source() {
  BOOST_OUTCOME_TRY(auto const source, helper());
  BOOST_OUTCOME_TRY(
      auto const answer,
      source->query({.sql = "SELECT pg_catalog.pg_current_wal_lsn(), pg_catalog.pg_current_snapshot()::text, "
                            "(extract(epoch FROM pg_catalog.clock_timestamp() - '2000-01-01 00:00:00+00') * "
                            "1000000)::int8",
                     .name = "sw_poll"}));
  BOOST_OUTCOME_TRY(auto const time, answer.integer(0, 2));
  auto const snapshot = xid_snapshot::parse(answer.text(0, 1));
  std::scoped_lock const lock(mutex_);
  source_lsn_ = lsn::parse(answer.text(0, 0)).value_or(source_lsn_);
  source_time_ = time;
  polled_at_ = now();
  if (snapshot) passed_.prune(*snapshot);
  return success();
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
