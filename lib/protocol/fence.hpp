// The fence: how a writer checks authority and how a wave moves it. Keeps I1 and I3.
//
// A writer takes ROW SHARE on the group's empty lock relation and reads the fence row of its slot in one
// statement, first in its transaction. Whoever moves authority takes EXCLUSIVE on the lock relation, changes
// the rows and commits. So each writer either commits before the flip, or comes after it and is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shardway/base/ids.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// The check of a write: prepared, one row back, raises SW001 (closed) or SW002 (epoch). Sets
/// `shardway.writer` for the transaction. Preconditions: the first statement of a READ COMMITTED transaction,
/// or right after `fence_lock_statement` (REPEATABLE READ, SERIALIZABLE).
statement fence_statement(std::string_view group, slot_id, epoch expected);

/// For REPEATABLE READ and SERIALIZABLE: takes the lock before the snapshot is taken. The first statement
/// after BEGIN.
statement fence_lock_statement(std::string_view group);

/// Sets the fence of a range: part of the transaction of a wave. Splits rows as needed; raises SW008 if the
/// epoch would go back (I3) and SW007 past the last epoch. Preconditions: the transaction holds the lock of
/// `flip_lock_statement`, except where a stream follows the authority's flips.
statement flip_statement(std::string_view group, slot_range, epoch, bool open,
                         std::optional<std::string> wave,
                         std::optional<std::chrono::milliseconds> deadline_in);

/// LOCK TABLE ... IN EXCLUSIVE MODE; run it with `SET LOCAL lock_timeout`.
statement flip_lock_statement(std::string_view group);

/// On a shard: follows a flip of the source for the slots given. Raises the epoch of closed rows, which stay
/// closed, and never touches an open row (I3).
statement follow_statement(std::string_view group, slot_range, epoch);

/// Reads the fence rows of a group: slot_from, slot_to, epoch, is_open, wave, past_deadline.
statement read_fence_statement(std::string_view group);

/// One row of a fence.
struct fence_row {
  slot_range slots{};
  shardway::epoch epoch{};
  bool open{};
  std::string wave{};    ///< the wave that closed it, or empty
  bool past_deadline{};  ///< by the database's clock
};
result<std::vector<fence_row>> parse_fence(rows const&);

/// Called by a client that has waited past the deadline of a closed row: gives the range back to the source
/// unless the wave was committed. Returns one row with column `outcome`: reopened, committed, not_due.
statement abandon_statement(std::string_view group, slot_id);

}  // namespace v0
}  // namespace shardway
