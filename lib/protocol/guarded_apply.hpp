// The guarded apply: how a dual write reaches a shard without ever undoing a newer change. Keeps I4 and I9.
//
// The shard's function takes the key lock and the fence's lock, then, in later statements with newer
// snapshots, refuses when the version's epoch is not the fence's, the shard has authority, the stream has
// delivered the version already, the stored version is newer, or the key belongs to a row that the shard has
// authority for. It never does what its caller may not do to the table.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "lib/protocol/outbox.hpp"
#include "shardway/base/ids.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// The shard's answer for one row.
enum class apply_outcome : unsigned char {
  applied,        ///< the row is on the shard with this version
  newer_present,  ///< the stored version is newer
  delivered,      ///< the stream had passed the version
  authority,      ///< the shard has authority: the dual write came too late
  other_epoch,    ///< the version belongs to another epoch
  conflict,       ///< a row that the shard has authority for has the primary key
  other_slot,     ///< the image belongs to another slot than the call names
  not_permitted,  ///< the role may not change such a row of the table itself
};
std::string_view name(apply_outcome) noexcept;

/// One row of a write.
struct apply_change {
  table_state const* table{};
  captured_statement::operation_type operation{};
  captured_row const* row{};
  slot_id slot{};
};
/// One statement that applies all rows of one write to one shard, key locks sorted, in a transaction of its
/// own with `synchronous_commit = off` and the given `lock_timeout`. All values are parameters, so that none
/// is in the shard's log or in pg_stat_activity (AP14). Its text depends on the tables alone. Returns a row
/// per change, column 0 its outcome, in the order of `changes`.
///
/// Preconditions: it is sent outside a transaction, by `session::query`. Nothing is locked before the server
/// has read it as a whole (W6).
statement apply_statement(write_id, std::vector<apply_change> const& changes,
                          std::chrono::milliseconds lock_timeout);
/// Reads its answer. Errors: `protocol_violation`.
result<std::vector<apply_outcome>> parse_apply(rows const&);

}  // namespace v0
}  // namespace shardway
