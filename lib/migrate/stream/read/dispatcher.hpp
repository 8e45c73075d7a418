// The dispatcher: the only reader of the source's replication slot. Feeds the appliers, and the chunks of the
// copy. Keeps I10.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/migrate/stream/apply/apply_queue.hpp"
#include "lib/migrate/stream/read/copy_registry.hpp"
#include "lib/migrate/stream/read/origin.hpp"
#include "lib/migrate/stream/read/stream_reader.hpp"
#include "lib/migrate/stream/read/transaction_router.hpp"
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

/// Thread safety: `prepare` before `run`; `run` on one thread; everything else is safe from any.
class dispatcher final : stream_consumer {
 public:
  dispatcher(dispatcher_options options, std::vector<std::shared_ptr<apply_queue>> queues);

  /// Reads from the source what a start needs: the windows as of the confirmed position, and the chunks.
  /// Errors: of the connection; `stream_broken` without a replication slot.
  result<> prepare(std::shared_ptr<generation const> routing);
  void run();
  void stop() { reader_.stop(); }
  /// Stops for good, for a reason found outside.
  void refuse(error why);

  result<> update_generation(std::shared_ptr<generation const> routing);
  std::shared_ptr<table_catalog const> catalog() const;
  std::optional<error> failure() const;
  /// Groups whose changes are let go until they are copied again, each with the reason.
  std::map<std::string, std::string> paused_groups() const;
  bool is_connected() const noexcept { return reader_.is_connected(); }  ///< to the source
  lsn decoded() const noexcept { return lsn{decoded_.load()}; }
  lsn confirmed() const noexcept { return lsn{confirmed_.load()}; }
  bool shows_all_passed(xid_snapshot const&) const;
  /// Lag of a shard in bytes and time.
  void add_lag(apply_queue const&, stream_state&) const;

  // For the copy. Preconditions of a chunk's number: the table is followed and has such a chunk.
  void put_copy(followed_copy copy);
  bool is_followed(std::string const& table) const;
  table_copy_progress progress(std::string const& table) const;
  bool is_planned(std::string const& table, std::size_t chunk) const;
  bool is_complete(std::string const& table) const;
  chunk_range range_of(std::string const& table, std::size_t chunk) const;
  std::int64_t id_of(std::string const& table, std::size_t chunk) const;
  /// Returns the position that every shard must have applied before the chunk is read: the end of a TRUNCATE
  /// that is on its way to them.
  lsn open_chunk(std::string const& table, std::size_t chunk);
  bool accept_snapshot(std::string const& table, std::size_t chunk, xid_snapshot const&);
  /// Hands the deferred changes to the shards. Returns the barrier that tells when they are committed;
  /// nothing if the chunk was emptied meanwhile.
  std::optional<std::uint64_t> hand_over(std::string const& table, std::size_t chunk);
  void close_chunk(std::string const& table, std::size_t chunk, std::int64_t rows, std::int64_t bytes);
  void fail_chunk(std::string const& table, std::size_t chunk);
  std::shared_ptr<window_state const> windows_of(std::string const& group) const;

 private:
  result<std::unique_ptr<change_stream>> open() override;
  void close() override;
  result<> take_transaction(decoded_transaction const&) override;
  result<> take_position(lsn position) override;
  result<> poll() override;
  result<lsn> prepare_confirmation() override;
  result<> idle(bool) override { return success(); }

  void wait_until_positions_are_known() const;
  result<> check_shards() const;
  result<> wait_for_room();
  result<> read_chunks(session&);
  result<> read_windows(session&);
  result<> save_windows();
  void learn_groups();
  result<session*> source_session();
  result<std::vector<std::string>> type_names(stream_relation const&);
  void fail(error why);

  dispatcher_options const options_;
  origin_stream const origin_;
  std::vector<std::shared_ptr<apply_queue>> const queues_;
  std::atomic<std::uint64_t> decoded_{};
  std::atomic<std::uint64_t> confirmed_{};

  mutable std::mutex mutex_;  // guards what follows, up to the next blank line
  copy_registry copies_;
  transaction_router router_;
  std::shared_ptr<table_catalog const> catalog_;
  passed_transactions passed_;
  std::uint64_t last_barrier_{};
  std::optional<error> failure_;
  origin_reading source_{};  // of the last poll

  stream_reader reader_;  // the dispatcher's thread only, from here on
  std::unique_ptr<session> session_;
  lsn start_{};
  lsn dispatched_{};
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
