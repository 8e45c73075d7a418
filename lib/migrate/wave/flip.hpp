// How the engine changes a fence: lock, flip, commit, with a short lock_timeout and named blockers.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "lib/protocol/fence.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::wave {

struct flip_change {
  slot_range slots{};
  shardway::epoch epoch{};
  bool open{};
};

struct flip_request {
  std::string group;
  std::vector<flip_change> changes;
  std::string wave;                                     ///< recorded in closed rows
  std::optional<std::chrono::milliseconds> deadline{};  ///< after which a client may give the range back
};

/// Tries until `until`, each try with `lock_timeout`, with jitter between. Each failing exit gives the lock
/// back. Appends who held it. Errors: `stall_budget_spent` naming the blockers; `not_leader`; those of the
/// connection.
result<> flip_within(session& node, flip_request const&, std::int64_t token,
                     std::chrono::milliseconds lock_timeout, steady_time until,
                     std::vector<std::string>& blockers);

result<std::vector<fence_row>> read_fence(session& node, std::string const& group);

/// The parts of `ranges`, cut where rows of the fence end, each with its row's epoch and state.
std::vector<fence_row> cut_by_fence(std::vector<fence_row> const& fence,
                                    std::vector<slot_range> const& ranges);

/// Writes a marker row in its own transaction; its id.
result<std::int64_t> write_marker(session& node, std::string const& wave, std::int64_t token);

/// Waits until the newest progress row of the stream on the node has passed the marker.
/// Errors: `stall_budget_spent` with how far the stream was; `deadline_exceeded` if the node does not answer.
result<> await_marker(session& node, std::string const& stream, std::int64_t marker, steady_time until);

/// pg_current_wal_insert_lsn().
result<lsn> current_lsn(session& node);

}  // namespace migrate::wave
}  // namespace v0
}  // namespace shardway
