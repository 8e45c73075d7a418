// The copy of one group: plans chunks, then copies them with some workers. Keeps I6. How a chunk meets the
// stream: lib/migrate/stream/chunk.hpp.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "lib/migrate/stream/read/dispatcher.hpp"
#include "lib/pg/binary_copy.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::copy {

struct job_options {
  engine_nodes nodes;
  std::int64_t token{};
  engine_limits limits{};
  std::string group;
};

/// Copies the tables of one group on threads of its own. Starts no chunk while `is_paused`. Thread safety:
/// `state` and `is_running` are safe from any thread. Lifetime: the destructor stops and joins; the
/// dispatcher and `is_paused` outlive it.
class job {
 public:
  job(job_options options, stream::dispatcher& stream,
      std::vector<std::shared_ptr<stream::apply_queue>> queues, std::atomic<bool> const& is_paused);
  ~job();
  job(job const&) = delete;
  job& operator=(job const&) = delete;

  void stop();
  copy_progress state() const;
  bool is_running() const noexcept { return running_; }

 private:
  struct counts {
    std::int64_t rows{};
    std::int64_t bytes{};
  };
  using slot_set =
      std::vector<bool>;  ///< by slot: true where the shard has authority; the copy skips these slots
  struct worker_nodes {
    std::unique_ptr<session> source;
    std::vector<std::unique_ptr<session>> shards;
  };

  void run();
  result<> prepare();
  result<> plan_table(session& source, stream::table_ptr const&);
  void work();
  result<> work_until_done(worker_nodes&);
  result<bool> copy_one(worker_nodes&);
  result<counts> copy_chunk(worker_nodes&, stream::table_ptr const&, std::size_t chunk);
  result<> wait_for_shards(lsn position) const;
  result<> take_snapshot(worker_nodes&, std::string const& table, std::size_t chunk);
  result<counts> copy_rows(worker_nodes&, stream::followed_table const&, stream::chunk_range const&);
  result<std::vector<slot_set>> begin_on_shards(worker_nodes&, stream::followed_table const&,
                                                std::string const& condition);
  result<counts> pump(worker_nodes&, stream::followed_table const&, std::string const& condition,
                      std::vector<std::unique_ptr<copy_writer>>& writers, std::vector<slot_set> const& held);
  result<> commit_on_shards(worker_nodes&);
  result<> finish_chunk(worker_nodes&, std::string const& table, std::size_t chunk, counts);
  result<> note_closed(worker_nodes&, std::int64_t id, counts);
  result<> set_chunk(session& source, std::int64_t id, counts);
  std::optional<std::pair<stream::table_ptr, std::size_t>> claim();
  void unclaim(std::string const& table, std::size_t chunk);
  result<worker_nodes> connect_nodes() const;
  void fail(error why);
  bool wait(std::chrono::milliseconds) const;  ///< false: the copy is stopping

  job_options const options_;
  stream::dispatcher& stream_;
  std::vector<std::shared_ptr<stream::apply_queue>> const queues_;
  std::atomic<bool> const& is_paused_;
  std::vector<stream::table_ptr> tables_;
  mutable std::mutex mutex_;
  std::optional<error> failure_;
  std::set<std::pair<std::string, std::size_t>> claimed_;
  std::atomic<std::int64_t> rows_copied_{};
  steady_time started_{};
  std::atomic<bool> stopping_{};
  std::atomic<bool> running_{true};
  std::thread thread_;
};

}  // namespace migrate::copy
}  // namespace v0
}  // namespace shardway
