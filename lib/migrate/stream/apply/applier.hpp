// The applier of one shard: batches from its queue, each in one transaction with the position it reaches.
// Keeps I4, I5 and I9.
//
// A batch: engine_begin (token, mark) · key locks of its deletes, sorted · the fence, where a key alone does
// not name a row · deletes · upserts guarded by row version · corrections · columns of partial images ·
// receipts of dual writes · fence epochs · position · COMMIT. Key locks come before the statement whose
// snapshot the deletes use, and the position commits with them: together with the guarded apply's own order
// that keeps deleted rows away without tombstones.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lib/migrate/nodes/back_off.hpp"
#include "lib/migrate/stream/apply/apply_queue.hpp"
#include "lib/migrate/stream/apply/sql.hpp"
#include "lib/migrate/stream/chunk.hpp"
#include "shardway/migrate/nodes/engine_nodes.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

struct applier_options {
  connect_options shard;
  connect_options source;  ///< to fetch a row that an update presumes and the shard lacks
  std::int64_t token{};
  engine_limits limits{};
  shard_id number{};
  /// Whether a snapshot shows every transaction that the dispatcher has passed.
  std::function<bool(xid_snapshot const&)> shows_all_passed;
  /// Whether the slot of a row is placed on this shard.
  std::function<bool(followed_table const&, stream_tuple const&)> is_mine;
  /// How a session is made; a test gives its own.
  std::function<result<std::unique_ptr<session>>(connect_options const&)> open{connect};
};

/// Runs until the queue is closed or it fails; the failure is in the queue's state. Thread safety: one
/// thread. Lifetime: the queue outlives it.
class applier {
 public:
  applier(applier_options options, apply_queue& queue) : options_(std::move(options)), queue_(queue) {}
  void run();

 private:
  struct tally {
    std::int64_t duplicates{};
    std::int64_t corrected{};
    std::int64_t outbox{};
  };
  enum class verdict : unsigned char { done, again, one_by_one, blocked };

  result<> serve();
  result<> connect_and_read_position();
  result<> forget_parked();
  result<> work(apply_queue::taken& taken);
  result<> apply(apply_queue::taken& taken);
  void drop_applied(std::vector<shard_item>& items) const;
  verdict judge(error const& failed, bool one_by_one, bool& is_final) const;
  result<verdict> attempt(apply_queue::taken const& taken, bool one_by_one);
  result<> write(apply_queue::taken const& taken, bool one_by_one);
  result<> begin(std::vector<stream_change> const& changes);
  row_naming naming_of(followed_table const&) const;
  result<tally> write_net(std::vector<stream_change> const& net);
  result<tally> write_lists(change_list const& deletes, std::vector<change_list> const& lists,
                            bool is_single);
  result<> fill_missing(change_list const& same_columns);
  result<> note_held(change_list const& same_columns, rows const& held);
  result<> note_conflict(stream_change const&, std::string held_slot, std::string held_version,
                         std::string reason);
  result<> forget_conflicts(std::vector<stream_change> const& changes);
  result<> fetch_row(stream_change const&);
  result<rows> read_row(stream_change const&);
  result<tally> write_one_by_one(std::vector<stream_change> const& raw);
  result<tally> write_in_order(std::vector<stream_change> const& changes, bool one_by_one);
  result<> empty_partition(stream_change const&);
  result<bool> note_blocker(stream_change const&, error const&);
  result<> empty_tables(std::vector<shard_item> const& items);
  result<> take_receipts(std::vector<shard_item> const& items, tally& counted);
  result<> finish(apply_queue::taken const& taken, tally const& counted);
  result<> commit_position(stream_position const& next, std::uint64_t barrier,
                           std::vector<statement> statements);
  result<> wait_for_blocker(apply_queue::taken& taken);
  error park();
  result<std::vector<rows>> run_all(std::vector<statement> const& statements);
  result<> idle(lsn tail);
  nodes::back_off retry_pauses() const;
  void pause(nodes::back_off& pauses) const;

  applier_options options_;
  apply_queue& queue_;
  std::unique_ptr<session> shard_;
  std::unique_ptr<session> source_;
  stream_position position_;
  std::optional<apply_queue::taken> pending_;  ///< taken and not known to be committed
  bool sent_once_{};                           ///< it may have been committed by a connection that was lost
  lsn parked_until_{};                  ///< of the newest change that is noted as parked; 0 if there is none
  std::set<std::string> split_groups_;  ///< of this batch: the shard has authority for some of their slots
  bool has_conflicts_{};                ///< there may be notes of this stream in shardway.conflict
  steady_time next_idle_{};
  unsigned batches_{};
  nodes::back_off reconnect_pauses_{retry_pauses()};
  std::optional<stream_change> blocked_;  ///< the change that met a unique value held by another row
  std::optional<lsn> blocker_;            ///< position of the version that holds it
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
