// One read from the choice of a node to its rows. Keeps I8.
#pragma once

#include <optional>
#include <string>

#include "lib/read/read_host.hpp"
#include "shardway/base/ids.hpp"

namespace shardway {
inline namespace v0 {

/// The fence that a primary read passes in its own transaction.
struct read_fence {
  std::string group;
  slot_id slot{};
  shardway::epoch epoch{};
};

struct read_request {
  statement what;
  read_options options;
  read_need need;
  std::optional<read_fence> fence{};  ///< set for `consistency::primary` and for statements that lock
                                      ///< rows
  std::size_t turn{};                 ///< spreads reads over replicas
  steady_time deadline{};
};

/// Errors: those of SQLSTATE; `fence_closed`, `epoch_stale` (with a fence: read again under a newer
/// generation); `node_unreachable`. Cost: one round trip where the first choice holds.
result<read_answer> read_routed(read_host& host, read_request const& request);

}  // namespace v0
}  // namespace shardway
