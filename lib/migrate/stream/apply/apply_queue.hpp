// From the dispatcher to the applier of one shard: a bounded queue, and what the applier tells back.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/migrate/stream/apply/batch.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/migrate/stream/state.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// What one source transaction, or a closing chunk, has for one shard.
struct shard_item {
  struct flip {
    std::string group;
    slot_range slots{};
    shardway::epoch epoch{};
  };
  struct emptied {
    table_ptr table;
    row_version version{};
  };
  lsn end{};  ///< end of the commit; 0 for the deferred changes of a chunk, which have no position of their
              ///< own
  std::int64_t commit_time{};  ///< the source's clock, microseconds since 2000
  std::vector<stream_change> changes;
  std::vector<text_value> write_ids;  ///< outbox rows of this shard's slots ...
  std::vector<text_value> ordinals;   ///< ... in pairs
  std::vector<flip> flips;
  std::vector<emptied> truncated;  ///< emptied before the changes are written
  struct pause {
    std::string relation;
    std::string reason;
  };
  std::vector<pause> paused;  ///< tables whose changes are let go from here on
  std::int64_t marker{};
  std::int64_t side_effects{};
  std::int64_t foreign{};
  std::uint64_t barrier{};  ///< > 0: told back once this and all before it is committed
  std::size_t bytes{};
};

/// Thread safety: shared use is safe; one thread puts, one takes.
class apply_queue {
 public:
  explicit apply_queue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Waits for room up to `wait`; false if there was none. A queue that is empty takes an item of any size.
  bool wait_for_room(std::chrono::milliseconds wait);
  void put(shard_item item);
  /// Everything up to `position` has been put: an empty queue means that it is applied (S6).
  void set_tail(lsn position);

  struct taken {
    std::vector<shard_item> items;
    lsn tail{};  ///< set if the queue is empty now: the position that is reached with these items
    std::uint64_t barrier{};  ///< the highest of the items
  };
  /// Waits up to `first` for one item, then up to `more` for the batch to fill.
  taken take(std::size_t changes_max, std::chrono::milliseconds first, std::chrono::milliseconds more);
  /// Without waiting.
  lsn tail() const;
  bool is_empty() const;

  // What the applier tells.
  void set_committed(stream_position const& position, std::uint64_t barrier);
  void set_connected(bool connected);
  void set_failure(error why);
  void set_waiting(std::string what);  ///< what it waits for; empty: for nothing
  void set_in_flight(std::size_t changes, std::int64_t oldest_commit_time);
  stream_state state() const;  ///< without the lag
  stream_position committed() const;
  std::int64_t oldest_commit_time() const;  ///< of what is not committed; 0 if there is none
  /// Waits until the barrier is committed, the applier fails or `deadline`; true in the first case.
  bool wait_for_barrier(std::uint64_t barrier, steady_time deadline);
  bool is_known() const;  ///< the applier has read the shard's position
  void set_known();

  void close();  ///< the engine stops: all waits end
  bool is_closed() const;

 private:
  std::size_t const bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<shard_item> items_;
  std::size_t bytes_{};
  std::size_t changes_{};
  lsn tail_{};
  bool is_closed_{};
  bool is_known_{};
  std::size_t in_flight_{};
  std::int64_t in_flight_oldest_{};
  std::uint64_t barrier_{};
  stream_state state_;
};

/// The position that every shard has committed; 0 if one of them has none yet, or there is no shard.
lsn smallest_committed(std::span<std::shared_ptr<apply_queue> const> queues);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
