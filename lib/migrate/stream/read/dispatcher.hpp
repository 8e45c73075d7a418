// The dispatcher: the only reader of the source's replication slot. Feeds the appliers, and the chunks of the
// copy. Keeps I10.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/migrate/stream/apply/queue.hpp"
#include "lib/migrate/stream/read/chunk_registry.hpp"
#include "lib/migrate/stream/read/router.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

struct dispatcher_options {
  connect_options source;
  std::int64_t token{};
  engine_limits limits{};
  std::string migration;
};

/// Thread safety: `run` on one thread; everything else is safe from any.
class dispatcher {
 public:
  dispatcher(dispatcher_options options, std::vector<std::shared_ptr<apply_queue>> queues);

  /// First look at the source: windows as of the confirmed position, chunks. Errors: of the connection;
  /// `stream_broken` without a replication slot.
  result<> prepare(std::shared_ptr<generation const> routing);
  void run();
  void stop() { stopping_ = true; }
  /// Stops for good, for a reason found outside.
  void refuse(error why);

  result<> update_generation(std::shared_ptr<generation const> routing);
  std::shared_ptr<table_catalog const> catalog() const;
  std::optional<error> failure() const;
  bool is_connected() const noexcept { return is_connected_; }  ///< to the source
  lsn decoded() const noexcept { return lsn{decoded_.load()}; }
  lsn confirmed() const noexcept { return lsn{confirmed_.load()}; }
  bool shows_all_passed(xid_snapshot const&) const;
  /// Lag of a shard in bytes and time.
  void add_lag(apply_queue const&, stream_state&) const;

  // For the copy.
  void put_copy(followed_copy copy);
  bool is_followed(std::string const& table) const;
  table_copy_progress progress(std::string const& table) const;
  bool is_planned(std::string const& table, std::size_t chunk) const;
  bool is_complete(std::string const& table) const;
  chunk_range range_of(std::string const& table, std::size_t chunk) const;
  std::int64_t id_of(std::string const& table, std::size_t chunk) const;
  /// Returns the position that every shard must have applied before the chunk is read: of a TRUNCATE on its
  /// way to them.
  lsn open_chunk(std::string const& table, std::size_t chunk);
  bool accept_snapshot(std::string const& table, std::size_t chunk, xid_snapshot const&);
  /// Hands the deferred changes to the shards. Returns the barrier that tells when they are committed;
  /// nothing if the chunk was emptied meanwhile.
  std::optional<std::uint64_t> hand_over(std::string const& table, std::size_t chunk);
  void close_chunk(std::string const& table, std::size_t chunk, std::int64_t rows, std::int64_t bytes);
  void fail_chunk(std::string const& table, std::size_t chunk);
  std::shared_ptr<window_state const> windows_of(std::string const& group) const;

 private:
  result<> read_chunks(session&);
  result<> read_windows(session&);
  result<> save_windows();
  result<> write_windows(std::string const& history);
  void learn_groups();
  result<> serve();
  result<> open_stream();
  result<> check_shards() const;
  result<> take(stream_event event);
  result<> take_row(std::variant<row_event, truncate_event> change, std::size_t bytes);
  result<> dispatch(decoded_transaction const&);
  result<> wait_for_room();
  result<> maintain();
  result<> confirm();
  result<> poll_source();
  result<session*> helper();
  result<std::vector<std::string>> type_names(stream_relation const&);
  followed_chunk& chunk_at(std::string const& table, std::size_t chunk);
  void fail(error why);

  dispatcher_options const options_;
  std::vector<std::shared_ptr<apply_queue>> const queues_;
  std::atomic<bool> stopping_{};
  std::atomic<bool> is_connected_{};
  std::atomic<std::uint64_t> decoded_{};
  std::atomic<std::uint64_t> confirmed_{};

  mutable std::mutex mutex_;  // guards what follows, up to the next blank line
  copy_registry copies_;
  transaction_router router_;
  std::shared_ptr<table_catalog const> catalog_;
  passed_transactions passed_;
  std::uint64_t last_barrier_{};
  std::optional<error> failure_;
  lsn source_lsn_{};            // of the last poll
  std::int64_t source_time_{};  // the source's clock then, microseconds since 2000
  steady_time polled_at_{};
  bool are_windows_dirty_{};

  std::unique_ptr<change_stream> stream_;  // the dispatcher's thread only, from here on
  std::unique_ptr<session> helper_;
  std::optional<decoded_transaction> open_;
  lsn start_{};
  lsn dispatched_{};
  steady_time next_confirm_{};
  steady_time next_poll_{};
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
