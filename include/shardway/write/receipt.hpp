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

/// What became of the copy of a dual write on its shard. It never decides the write's fate: authority has.
enum class dual_write_state : unsigned char {
  none,     ///< the write is not a dual write (or changed no row)
  applied,  ///< every changed row is on the shard with this write's version
  pending,  ///< not yet, or not known: the stream brings it
  refused,  ///< the shard's guard refused at least one row (the stream or a newer write was there first, or
            ///< authority moved)
};
std::string_view name(dual_write_state) noexcept;

/// A write that committed.
struct write_receipt {
  commit_outcome_kind outcome{
      commit_outcome_kind::committed};  ///< committed, or committed_locally (a failover may lose it)
  write_id id{};
  std::vector<row_version> versions;  ///< of the changed rows, where they were captured for a dual write
  dual_write_state dual_write{dual_write_state::none};
  std::string dual_write_reason;   ///< for pending and refused; safe to log
  std::int64_t dual_write_rows{};  ///< rows that the shard said it took from this write: the stream will
                                   ///< count them as duplicates
  std::string node;                ///< the authority that took the write
  slot_id slot{};
  shardway::epoch epoch{};  ///< 0 while the group is observed
  std::uint64_t generation{};
  lsn position{};                       ///< of the node's WAL, past the commit; also in the session's token
  unsigned retries{};                   ///< attempts before the one that committed
  std::chrono::microseconds stalled{};  ///< of the call's time, what was spent waiting for a fence to open
  std::int64_t affected{};              ///< rows changed (execute: by the statement; write: by all of them)
  rows returned;                        ///< what RETURNING gave; empty for `write`
  bool answer_lost{};  ///< it committed, but the connection broke before its answer: `affected` and
                       ///< `returned` are not known
  bool replayed{};  ///< its operation id had been written before: `id` and `affected` are the first call's,
                    ///< `returned` is empty
};

}  // namespace v0
}  // namespace shardway
