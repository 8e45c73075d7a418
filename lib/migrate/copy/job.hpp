// The copy of one group: plans chunks, then copies them with some workers. Keeps I6; how a chunk meets the
// stream: migrate/chunk.hpp.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
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

/// New chunks of all copies wait while it is closed. Thread safety: safe.
class copy_pause {
 public:
  void close();
  void open();
  bool is_closed() const;

 private:
  mutable std::mutex mutex_;
  bool is_closed_{};
};

struct copy_options {
  engine_nodes nodes;
  std::int64_t token{};
  engine_limits limits{};
  std::string group;
};

/// Thread safety: `state` is safe from any thread. Lifetime: the destructor stops and joins.
class copy_job {
 public:
  copy_job(copy_options options, stream::dispatcher& stream,
           std::vector<std::shared_ptr<stream::apply_queue>> queues, copy_pause& gate);
  ~copy_job();
  copy_job(copy_job const&) = delete;
  copy_job& operator=(copy_job const&) = delete;

  void stop();
  copy_progress state() const;
  bool is_running() const noexcept { return running_; }

 private:
  struct counts {
    std::int64_t rows{};
    std::int64_t bytes{};
  };
  using slot_set = std::vector<bool>;  ///< by slot: a shard has authority, so that the copy leaves it alone
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
  result<> set_chunk(session& source, std::int64_t id, counts);
  std::optional<std::pair<stream::table_ptr, std::size_t>> claim();
  void unclaim(std::string const& table, std::size_t chunk);
  result<worker_nodes> connect_nodes() const;
  void fail(error why);
  bool wait(std::chrono::milliseconds) const;

  copy_options const options_;
  stream::dispatcher& stream_;
  std::vector<std::shared_ptr<stream::apply_queue>> const queues_;
  copy_pause& gate_;
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
