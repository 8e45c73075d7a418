#include "lib/migrate/stream/read/dispatcher.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/migrate/nodes/reconnect.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {
namespace {

constexpr std::chrono::milliseconds confirm_every{100};
constexpr std::chrono::milliseconds room_wait{500};

}  // namespace

dispatcher::dispatcher(dispatcher_options options, std::vector<std::shared_ptr<apply_queue>> queues)
    : options_(std::move(options)),
      origin_{.node = options_.source,
              .replication_slot = names::forward_replication_slot(options_.migration),
              .publication = names::publication(options_.migration),
              .token = options_.token},
      queues_(std::move(queues)),
      router_(
          copies_, [this](stream_relation const& relation) { return type_names(relation); },
          options_.limits.deferred_bytes_max),
      reader_({.origin = "source",
               .transaction_bytes_max = options_.limits.transaction_bytes_max,
               .retry_delay_max = options_.limits.retry_delay_max,
               .confirm_every = confirm_every},
              *this) {}

result<> dispatcher::prepare(std::shared_ptr<generation const> routing) {
  BOOST_OUTCOME_TRY(auto const source, source_session());
  BOOST_OUTCOME_TRYV(update_generation(std::move(routing)));
  BOOST_OUTCOME_TRY(
      auto const held,
      find_origin_slot(*source, origin_, "the changes since then are not known: copy the tables again"));
  start_ = held.confirmed_flush;
  BOOST_OUTCOME_TRYV(read_windows(*source));
  return read_chunks(*source);
}

void dispatcher::run() {
  if (auto const outcome = reader_.run(); !outcome) fail(outcome.error());
}

void dispatcher::fail(error why) {
  std::scoped_lock const lock(mutex_);
  failure_ = std::move(why);
}

void dispatcher::refuse(error why) {
  fail(std::move(why));
  stop();
}

// Where the replication slot went back after a crash of the source (M7), the stream starts from where all
// shards have been.
result<std::unique_ptr<change_stream>> dispatcher::open() {
  wait_until_positions_are_known();
  if (reader_.is_stopping()) return std::unique_ptr<change_stream>{};
  BOOST_OUTCOME_TRYV(check_shards());
  BOOST_OUTCOME_TRY(auto const source, source_session());
  return open_origin_stream(*source, origin_, std::max(start_, confirmed()));
}

void dispatcher::close() { session_.reset(); }

void dispatcher::wait_until_positions_are_known() const {
  for (auto const& queue : queues_)
    while (!queue->is_known() && !reader_.is_stopping() && !queue->state().failure)
      sleep_for(std::chrono::milliseconds(5));
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
                   absl::StrCat("shard ", catalog_->routing().migration.shards[i].name,
                                " has applied less than the source's replication slot has confirmed: changes "
                                "between are missing"),
                   "the shard lost what it had committed (failover, restored backup): its tables must be "
                   "copied again"};
    }
  }
  return success();
}

// Whole transactions in commit order; the position is the end of a commit, never that of a row (S5).
result<> dispatcher::take_transaction(decoded_transaction const& transaction) {
  if (transaction.end <= dispatched_) return success();  // sent again after a reconnect
  BOOST_OUTCOME_TRYV(wait_for_room());
  std::scoped_lock const lock(mutex_);
  BOOST_OUTCOME_TRY(auto items, router_.route(transaction));
  for (std::size_t i = 0; i < items.size() && i < queues_.size(); ++i)
    if (!transaction_router::is_empty(items[i])) queues_[i]->put(std::move(items[i]));
  for (auto const& queue : queues_) queue->set_tail(transaction.end);
  passed_.add(transaction.begin.xid);
  dispatched_ = transaction.end;
  decoded_ = std::max(decoded_.load(), transaction.end.value());
  return success();
}

result<> dispatcher::take_position(lsn position) {
  for (auto const& queue : queues_) queue->set_tail(position);
  decoded_ = std::max(decoded_.load(), position.value());
  if (guard_off("keepalive_with_queue")) return reader_.confirm(position);
  return success();
}

// A full queue holds the stream back, but the server must hear from us all the same.
result<> dispatcher::wait_for_room() {
  for (auto const& queue : queues_) {
    while (!reader_.is_stopping() && !queue->wait_for_room(room_wait)) {
      if (auto const state = queue->state(); state.failure) return *state.failure;
      BOOST_OUTCOME_TRYV(reader_.maintain());
    }
  }
  return success();
}

// I10: only what every shard has committed. Windows are saved first, so that a start from there finds them.
result<lsn> dispatcher::prepare_confirmation() {
  BOOST_OUTCOME_TRYV(save_windows());
  auto const committed = smallest_committed(queues_);
  if (committed > confirmed()) {
    if (stop_point("before_confirm")) return nodes::stopped_by_test("before_confirm");
    confirmed_ = committed.value();
  }
  return confirmed();
}

result<> dispatcher::poll() {
  BOOST_OUTCOME_TRY(auto const source, source_session());
  BOOST_OUTCOME_TRY(auto const reading, read_origin(*source));
  std::scoped_lock const lock(mutex_);
  source_ = reading;
  if (reading.snapshot) passed_.prune(*reading.snapshot);
  return success();
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
