// The second half of a dual write: the guarded apply on the shard, after the source has committed. It never
// decides the write's fate.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib/authority/session_lender.hpp"
#include "lib/protocol/guarded_apply.hpp"
#include "lib/write/breaker.hpp"
#include "shardway/observe/events.hpp"
#include "shardway/write/receipt.hpp"

namespace shardway {
inline namespace v0 {

/// One captured change of a committed write.
struct dual_write_change {
  table_state const* table{};
  captured_statement::operation_type operation{};
  captured_row row;
  slot_id slot{};
  shard_id shard{};  ///< the shard the slot is placed on
  std::shared_ptr<generation const>
      keeps{};  ///< what `table` points into: a transaction may have met two generations
};

/// Everything a shard is told of one write. Owns the generation its pointers point into.
struct dual_write_job {
  write_id id{};
  std::shared_ptr<generation const> current;
  shard_id shard{};
  std::vector<dual_write_change> changes;
};

struct dual_write_result {
  dual_write_state state{dual_write_state::none};
  std::string reason;
  std::int64_t rows_applied{};  ///< known to be on the shard by this write
};

/// Sends jobs to shards, each through its breaker; in the background through a bounded queue and one thread a
/// shard.
///
/// A job that is not sent (breaker open, queue full, process ended) is brought by the stream.
/// Thread safety: shared use is safe. Lifetime: `lender` and `listener` outlive it; `stop` before they go.
class dual_writer {
 public:
  dual_writer(session_lender& lender, events* listener, std::size_t queue_rows_max);
  ~dual_writer();
  dual_writer(dual_writer const&) = delete;
  dual_writer& operator=(dual_writer const&) = delete;

  /// Applies now and waits at most `budget`. Cost: one round trip to the shard.
  dual_write_result apply(dual_write_job const& job, std::chrono::milliseconds budget);
  /// Hands the job to the background; always `pending`.
  dual_write_result enqueue(dual_write_job job);
  /// Rows applied, left pending and refused since the beginning, those of the background included. A row
  /// whose answer came too late counts as pending, though it may be on the shard.
  struct totals_type {
    std::uint64_t applied{}, pending{}, refused{};
  };
  totals_type totals() const noexcept;
  /// Waits until the background has nothing to do. False: not by the deadline.
  bool drain(steady_time deadline);
  /// Ends the background threads; what is queued is dropped.
  void stop() noexcept;

 private:
  struct shard_queue;
  shard_queue& queue_of(shard_id);
  dual_write_result try_apply(shard_queue&, dual_write_job const&, std::chrono::milliseconds budget);
  result<std::vector<apply_outcome>> send(session&, dual_write_job const&, std::chrono::milliseconds budget,
                                          steady_time deadline);
  dual_write_result attempt(shard_queue&, dual_write_job const&, std::chrono::milliseconds budget);
  dual_write_result count(dual_write_result, std::size_t rows) noexcept;
  void report(shard_queue&, bool open);
  bool start_worker(shard_queue&);
  void work(shard_queue&);

  session_lender& lender_;
  events* listener_;
  std::size_t queue_rows_max_;
  std::mutex mutex_;  ///< of lanes_
  std::map<shard_id, std::unique_ptr<shard_queue>> queues_;
  bool stopping_{};  ///< under mutex_
  std::atomic<std::uint64_t> applied_{}, pending_{}, refused_{};
};

}  // namespace v0
}  // namespace shardway
