// From the fence rows in a node's WAL to its windows. Decides without I/O (S22).
#pragma once

#include <optional>
#include <span>
#include <string>

#include "lib/migrate/stream/window.hpp"
#include "lib/store/change_stream.hpp"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// What a fence row says from its transaction's end on.
struct fence_flip {
  std::string group;
  slot_range slots{};
  shardway::epoch epoch{};
  bool is_open{};
};

/// The flip that an insert or update of a fence table makes; nothing for other relations and deletes. Errors:
/// `protocol_violation` if the row does not parse.
result<std::optional<fence_flip>> fence_flip_of(row_event const&);

/// The windows that a generation starts a group with on a node: all its authority ranges, open where the node
/// has authority. `node`: nothing means the source.
window_state first_windows(group_state const&, std::optional<shard_id> node);

/// Records the flips of one transaction: they hold for the transactions after it. A group that is not known
/// starts closed everywhere; one that the flips leave as it is gets no entry.
void record_flips(window_history&, std::span<fence_flip const>, lsn end);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
