// What the caller of a write learns.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/row_version.hpp"
#include "shardway/base/write_id.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// What became of the copy that a dual write sends to the shard. It never decides whether the write happened:
/// the commit on the authority does.
enum class dual_write_state : unsigned char {
  none,     ///< the write is no dual write, or it changed no row
  applied,  ///< every changed row is on the shard, with this write's version
  pending,  ///< not there yet, or not known; the stream brings it
  refused,  ///< the shard's guard refused at least one row: the stream or a newer write came first, or
            ///< authority had moved
};
std::string_view name(dual_write_state state) noexcept;

/// A write that committed.
struct write_receipt {
  /// `committed`, or `committed_locally`: the wait for a synchronous standby was cancelled, and a failover
  /// may lose the write.
  commit_outcome_kind outcome{commit_outcome_kind::committed};

  /// The identity of the write, the same in each of its attempts.
  write_id id{};

  /// The versions of the changed rows, if they were captured for a dual write.
  std::vector<row_version> versions;

  /// What became of the copy on the shard.
  dual_write_state dual_write{dual_write_state::none};

  /// Why the copy is pending or was refused. Safe to log.
  std::string dual_write_reason;

  /// Rows that the shard took from this write. The stream will count them as duplicates.
  std::int64_t dual_write_rows{};

  /// The authority that took the write.
  std::string node;

  slot_id slot{};

  /// The epoch under which the fence was passed. 0 while the group is observing.
  shardway::epoch epoch{};

  /// The generation that routed the write.
  std::uint64_t generation{};

  /// A position in the node's WAL past the commit. The session's token holds it too.
  lsn position{};

  /// Attempts before the one that committed.
  unsigned retries{};

  /// The time within the call that was spent waiting for a fence to open.
  std::chrono::microseconds stalled{};

  /// Rows changed: by the statement (`execute`), or by all statements (`write`).
  std::int64_t affected{};

  /// The rows of RETURNING. Empty for `write`.
  rows returned;

  /// The write committed, but the connection broke before its answer: `affected` and `returned` are not
  /// known.
  bool answer_lost{};

  /// An earlier call with the same operation id had committed: `id` and `affected` are that call's, and
  /// `returned` is empty.
  bool replayed{};
};

}  // namespace v0
}  // namespace shardway
