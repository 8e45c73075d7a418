// The mirror of one shard: keeps the source's copy fresh from the shard's WAL. Keeps I4 and I12.
//
// One shard transaction becomes one source transaction: engine_begin · progress row (published: the mark by
// which the forward stream skips it) · changes in order · COMMIT. Only changes inside the shard's windows are
// mirrored. A transaction with the mark of the engine or of a dual write is skipped, except for rows that the
// shard has authority for: those no such transaction may touch, so whoever set the mark wrote them (AP15).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lib/migrate/stream/read/origin.hpp"
#include "lib/migrate/stream/read/stream_reader.hpp"
#include "lib/migrate/stream/read/table_catalog.hpp"
#include "lib/migrate/stream/window.hpp"
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
class mirror final : stream_consumer {
 public:
  mirror(mirror_options options, std::shared_ptr<generation const> routing);
  ~mirror() override;
  mirror(mirror const&) = delete;
  mirror& operator=(mirror const&) = delete;

  void update_generation(std::shared_ptr<generation const> routing);
  stream_state state() const;

 private:
  struct planned_change {
    enum class kind_type : unsigned char { insert, update, remove, note };
    kind_type kind{};
    statement sql;
    table_ptr table{};  ///< but for a note
    stream_tuple old_row{};
    stream_tuple image{};
    /// An update presumes the row, an insert may meet another shard's row.
    bool must_change() const noexcept { return kind == kind_type::insert || kind == kind_type::update; }
  };
  /// What became of one try to apply a transaction.
  struct try_result {
    bool is_done{};
    std::optional<std::size_t> misfit{};  ///< the first change that does not fit
    std::string taken{};                  ///< what of it the source's unique index has already, if known
  };

  result<std::unique_ptr<change_stream>> open() override;
  void close() override;
  result<> take_transaction(decoded_transaction const&) override;
  result<> take_position(lsn position) override;
  result<> poll() override;
  result<lsn> prepare_confirmation() override;
  result<> idle(bool is_open) override;

  void run();
  result<> connect_targets();
  result<origin_stream> origin() const;
  result<> check_gap(lsn confirmed) const;
  result<> read_windows(lsn start);
  void forget_finalized();
  result<> save_windows();
  result<std::vector<planned_change>> plan(decoded_transaction const&);
  result<> plan_row(row_event const&, bool is_marked, std::vector<planned_change>&);
  result<bool> is_skipped(followed_table const&, stream_tuple const&, bool is_marked) const;
  statement removal_of(followed_table const&, stream_tuple const& old_row) const;
  error truncated(std::string const& relation) const;
  result<> read_ours(decoded_transaction const&, std::int64_t& marker);
  result<> check_window(followed_table const&, stream_tuple const&) const;
  result<table_ptr> known_table(std::shared_ptr<stream_relation const> const&);
  result<> apply(std::vector<planned_change>, stream_position const& next);
  result<try_result> try_apply(std::vector<planned_change> const&, stream_position const& next);
  void note_partition(error const& failed);
  result<bool> set_aside(std::vector<planned_change>&, try_result const&);
  result<std::optional<std::string>> holder_of(planned_change const&, stream_tuple const& row,
                                               std::string const& expressions);
  void forget_conflicts(std::vector<planned_change>&) const;
  result<> commit(stream_position const& next);
  std::string windows_row() const { return "windows_" + options_.shard.node; }  // of shardway.status
  void publish_position();

  mirror_options const options_;
  mutable std::mutex mutex_;  // guards what follows, up to the next blank line
  std::shared_ptr<table_catalog const> catalog_;
  stream_state state_;
  std::int64_t open_since_{};  // commit time of the transaction that is being applied; 0: none
  origin_reading shard_reading_{};

  stream_reader reader_;  // its own thread only, from here on
  std::unique_ptr<session> source_;
  std::unique_ptr<session> shard_;
  window_history windows_;
  stream_position position_;
  lsn tail_{};  // everything before it was read
  lsn confirmed_{};
  steady_time next_idle_{};
  bool has_conflicts_{};  // there may be notes of this mirror in shardway.conflict
  std::map<stream_relation const*, std::shared_ptr<stream_relation const>> checked_;
  unsigned commits_{};
  bool waits_for_partition_{};  ///< the source has no partition for a row of the newest try
  std::thread thread_;
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
