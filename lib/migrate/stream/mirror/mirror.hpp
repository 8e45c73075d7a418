// The mirror of one shard: keeps the source's copy fresh from the shard's WAL. Keeps I4 and I12.
//
// One shard transaction becomes one source transaction: engine_begin · progress row (published: the mark by
// which the forward stream skips it) · changes in order · COMMIT. Only changes inside the shard's windows are
// mirrored; transactions that carry our mark are skipped.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "lib/migrate/stream/read/router.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"
#include "shardway/migrate/stream/state.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

struct mirror_options {
  connect_options shard;
  connect_options source;   ///< as the mirror's role
  connect_options catalog;  ///< the source as the engine's role: keeps the windows
  std::int64_t token{};
  engine_limits limits{};
  shard_id number{};
};

/// Starts its thread when made; the destructor stops and joins it. Thread safety: `state` and
/// `update_generation` are safe from any thread.
class mirror_thread {
 public:
  mirror_thread(mirror_options options, std::shared_ptr<generation const> routing);
  ~mirror_thread();
  mirror_thread(mirror_thread const&) = delete;
  mirror_thread& operator=(mirror_thread const&) = delete;

  void update_generation(std::shared_ptr<generation const> routing);
  stream_state state() const;

 private:
  struct planned {
    statement what;
    bool must_change{};  ///< an update that presumes the row, an insert that may meet another shard's row
    std::string table;
  };

  void run();
  result<> serve();
  result<> open();
  result<> read_windows();
  void forget_finalized();
  result<> save_windows();
  result<> take(stream_event event);
  result<> keep(std::variant<row_event, truncate_event> change, std::size_t bytes);
  result<> mirror_transaction(decoded_transaction const&);
  result<std::vector<planned>> plan(decoded_transaction const&);
  result<> read_ours(decoded_transaction const&, std::int64_t& marker);
  result<> plan_row(row_event const&, std::vector<planned>&);
  result<> check_window(followed_table const&, stream_tuple const&);
  result<> apply(std::vector<planned> const&, stream_position const& next);
  result<bool> attempt(std::vector<planned> const&, stream_position const& next);
  result<> advance_idle();
  result<> confirm();
  result<table_ptr> known_table(std::shared_ptr<stream_relation const> const&);
  std::string windows_name() const { return "windows_" + options_.shard.node; }
  void set_state(bool connected);

  mirror_options const options_;
  mutable std::mutex mutex_;  // guards what follows, up to the next blank line
  std::shared_ptr<table_catalog const> catalog_;
  stream_state state_;
  std::int64_t open_since_{};  // commit time of the transaction at hand
  lsn shard_end_{};
  std::int64_t shard_time_{};
  steady_time polled_at_{};

  std::unique_ptr<change_stream> stream_;  // its own thread only, from here on
  std::unique_ptr<session> source_;
  std::unique_ptr<session> shard_;
  window_history windows_;
  bool windows_changed_{};
  std::optional<decoded_transaction> open_;
  stream_position position_;
  lsn tail_{};
  lsn start_{};
  lsn confirmed_{};
  steady_time next_confirm_{};
  steady_time next_idle_{};
  steady_time next_poll_{};
  std::map<stream_relation const*, std::shared_ptr<stream_relation const>> checked_;
  unsigned commits_{};
  std::atomic<bool> stopping_{};
  std::thread thread_;
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
