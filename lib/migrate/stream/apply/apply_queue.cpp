#include "lib/migrate/stream/apply/apply_queue.hpp"

#include <algorithm>

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

bool apply_queue::wait_for_room(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, wait, [&] { return is_closed_ || items_.empty() || bytes_ < bytes_max_; });
}

void apply_queue::put(shard_item item) {
  std::scoped_lock const lock(mutex_);
  item.bytes = sizeof item;
  for (auto const& change : item.changes) item.bytes += size_of(change);
  bytes_ += item.bytes;
  changes_ += item.changes.size();
  if (item.end.is_set()) tail_ = std::max(tail_, item.end);
  items_.push_back(std::move(item));
  changed_.notify_all();
}

void apply_queue::set_tail(lsn position) {
  std::scoped_lock const lock(mutex_);
  tail_ = std::max(tail_, position);
}

apply_queue::taken apply_queue::take(std::size_t changes_max, std::chrono::milliseconds first,
                                     std::chrono::milliseconds more) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, first, [&] { return is_closed_ || !items_.empty(); });
  // Somebody waits for a marker or a barrier: no batching for its sake.
  auto const is_awaited = [&] {
    return std::any_of(items_.begin(), items_.end(),
                       [](shard_item const& item) { return item.marker != 0 || item.barrier != 0; });
  };
  if (!items_.empty())
    changed_.wait_for(lock, more, [&] {
      return is_closed_ || changes_ >= changes_max || bytes_ >= bytes_max_ || is_awaited();
    });
  taken out;
  for (std::size_t count = 0;
       !items_.empty() && (out.items.empty() || count + items_.front().changes.size() <= changes_max);) {
    if (!items_.front().truncated.empty() && !out.items.empty())
      break;  // tables are emptied before a batch writes
    count += items_.front().changes.size();
    bytes_ -= items_.front().bytes;
    changes_ -= items_.front().changes.size();
    out.barrier = std::max(out.barrier, items_.front().barrier);
    out.items.push_back(std::move(items_.front()));
    items_.pop_front();
  }
  if (items_.empty()) out.tail = tail_;
  changed_.notify_all();
  return out;
}

lsn apply_queue::tail() const {
  std::scoped_lock const lock(mutex_);
  return tail_;
}

bool apply_queue::is_empty() const {
  std::scoped_lock const lock(mutex_);
  return items_.empty();
}

void apply_queue::set_committed(stream_position const& position, std::uint64_t barrier) {
  std::scoped_lock const lock(mutex_);
  state_.position = position;
  barrier_ = std::max(barrier_, barrier);
  in_flight_ = 0;
  in_flight_oldest_ = 0;
  changed_.notify_all();
}

void apply_queue::set_connected(bool connected) {
  std::scoped_lock const lock(mutex_);
  state_.is_connected = connected;
}

void apply_queue::set_failure(error why) {
  std::scoped_lock const lock(mutex_);
  state_.failure = std::move(why);
  state_.is_connected = false;
  changed_.notify_all();
}

void apply_queue::set_waiting(std::string what) {
  std::scoped_lock const lock(mutex_);
  state_.waiting = std::move(what);
}

void apply_queue::set_in_flight(std::size_t changes, std::int64_t oldest_commit_time) {
  std::scoped_lock const lock(mutex_);
  in_flight_ = changes;
  in_flight_oldest_ = oldest_commit_time;
}

stream_state apply_queue::state() const {
  std::scoped_lock const lock(mutex_);
  auto state = state_;
  state.queued = changes_ + in_flight_;
  state.is_running = !is_closed_ && !state.failure;
  return state;
}

stream_position apply_queue::committed() const {
  std::scoped_lock const lock(mutex_);
  return state_.position;
}

std::int64_t apply_queue::oldest_commit_time() const {
  std::scoped_lock const lock(mutex_);
  if (in_flight_oldest_) return in_flight_oldest_;
  for (auto const& item : items_)
    if (item.commit_time) return item.commit_time;
  return 0;
}

bool apply_queue::wait_for_barrier(std::uint64_t barrier, steady_time deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline, [&] { return is_closed_ || state_.failure || barrier_ >= barrier; });
  return barrier_ >= barrier;
}

bool apply_queue::is_known() const {
  std::scoped_lock const lock(mutex_);
  return is_known_;
}

void apply_queue::set_known() {
  std::scoped_lock const lock(mutex_);
  is_known_ = true;
  changed_.notify_all();
}

void apply_queue::close() {
  std::scoped_lock const lock(mutex_);
  is_closed_ = true;
  changed_.notify_all();
}

bool apply_queue::is_closed() const {
  std::scoped_lock const lock(mutex_);
  return is_closed_;
}

lsn smallest_committed(std::span<std::shared_ptr<apply_queue> const> queues) {
  lsn smallest{};
  for (auto const& queue : queues) {
    auto const applied = queue->committed().applied;
    if (!applied.is_set()) return lsn{};
    smallest = smallest.is_set() ? std::min(smallest, applied) : applied;
  }
  return smallest;
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
