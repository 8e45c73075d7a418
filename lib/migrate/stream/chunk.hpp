// How a chunk of the copy meets the stream: by transaction visibility, never by LSN. Keeps I4 and I6. Pure:
// state + event -> action.
//
// The dispatcher skips changes to keys of a chunk that is not open: a later snapshot holds them. From the
// opening on it defers them. A snapshot counts only if it shows every transaction that the dispatcher had
// passed before the opening: a commit can be decoded before its backend leaves the list of running
// transactions. Deferred changes of transactions that the snapshot does not show go on top of the copied rows
// (CP1); from then on the keys follow the stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// What pg_current_snapshot() said.
class xid_snapshot {
 public:
  xid_snapshot() = default;
  xid_snapshot(std::uint64_t xmin, std::uint64_t xmax, std::vector<std::uint64_t> running);
  /// From "xmin:xmax:xid,xid"; nothing for any other text.
  static std::optional<xid_snapshot> parse(std::string_view text);

  /// Whether it shows a transaction known by the low 32 bits of its id, as the stream tells them.
  /// Preconditions: the transaction is within 2^31 of the snapshot.
  bool shows(std::uint32_t xid) const noexcept;
  std::uint64_t xmin() const noexcept { return xmin_; }

 private:
  std::uint64_t widen(std::uint32_t xid) const noexcept;
  std::uint64_t xmin_{};
  std::uint64_t xmax_{};
  std::vector<std::uint64_t> running_;  // sorted
};

/// Transactions that the dispatcher has passed and that a new snapshot might not show yet.
class passed_transactions {
 public:
  void add(std::uint32_t xid) { xids_.push_back(xid); }
  /// Forgets those that `snapshot` shows: every later one shows them too.
  void prune(xid_snapshot const& snapshot);
  std::vector<std::uint32_t> const& xids() const noexcept { return xids_; }

 private:
  std::vector<std::uint32_t> xids_;
};

enum class chunk_step : unsigned char {
  planned,  ///< not opened: its keys are skipped
  open,     ///< its keys are deferred; no snapshot yet
  copying,  ///< its keys are deferred; a snapshot was accepted
  closing,  ///< its keys follow the stream; deferred changes are not committed everywhere yet
  closed,   ///< copy and deferred changes are committed on every shard (I6)
};
/// What the dispatcher does with a change to a key of the chunk.
enum class chunk_route : unsigned char { skip, defer, apply };

/// One chunk. A value. Preconditions of each event: the step it names.
class chunk_machine {
 public:
  chunk_machine() = default;
  explicit chunk_machine(chunk_step step) : step_(step) {}

  chunk_step step() const noexcept { return step_; }
  chunk_route route() const noexcept;

  /// planned -> open. `passed` are the transactions the dispatcher has passed so far.
  void open(std::vector<std::uint32_t> passed);
  /// open -> copying and true, if the snapshot shows all that was passed before the opening; else nothing and
  /// false: take another.
  bool accept(xid_snapshot snapshot);
  /// copying -> closing: the rows are committed on every shard. Deferred changes that `is_wanted` go to the
  /// shards now, in order.
  void copied();
  /// Whether a deferred change of that transaction is not in the copied rows. Preconditions: an accepted
  /// snapshot.
  bool is_wanted(std::uint32_t xid) const noexcept { return !snapshot_.shows(xid); }
  /// closing -> closed: all shards have committed past the deferred changes.
  void close();
  /// open or copying -> planned: the range is to be emptied and copied again; deferred changes are forgotten.
  void fail();

 private:
  chunk_step step_{chunk_step::planned};
  std::vector<std::uint32_t> passed_;
  xid_snapshot snapshot_;
};

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
