// How a read of many slots checks a node's authority without blocking a wave.
//
// The first statement of a REPEATABLE READ transaction: the fence rows and what is read afterwards come from
// one snapshot, and no lock is taken. If the rows say open in that snapshot, the node had authority when the
// snapshot was taken: a flip commits before another node opens (I1).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "shardway/base/ids.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Slots that a node is expected to have authority for, at this epoch or a later one.
struct expected_slots {
  slot_range slots{};
  shardway::epoch epoch{};
};

/// Begins the transaction that reads: REPEATABLE READ, READ ONLY.
statement begin_snapshot_statement();
/// Limits each statement of the transaction to `time_left` and, where there is a fence, reads it for the
/// slots given. One row back. `group` empty: there is no fence yet.
statement read_fence_check_statement(std::string_view group, std::span<expected_slots const> expected,
                                     std::chrono::milliseconds time_left);

struct read_fence_answer {
  std::optional<slot_id> refused{};  ///< a slot that the node has no authority for in this snapshot
  std::uint64_t generation{};        ///< the newest on the node in this snapshot
};
/// Errors: `protocol_violation`.
result<read_fence_answer> parse_read_fence(rows const&);

}  // namespace v0
}  // namespace shardway
