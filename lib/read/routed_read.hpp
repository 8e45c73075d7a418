// One read from the choice of a node to its rows. Keeps I8.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/read/hedge.hpp"
#include "lib/read/replica_choice.hpp"
#include "lib/store/lent_session.hpp"
#include "shardway/base/ids.hpp"

namespace shardway {
inline namespace v0 {

/// What a read needs of the world. Thread safety: one thread at a time.
class read_host {
 public:
  virtual ~read_host() = default;
  virtual result<lent_session> lend_primary(steady_time deadline) = 0;
  virtual result<lent_session> lend_replica(std::size_t index, steady_time deadline) = 0;
  /// The replicas of the node with authority, as last seen.
  virtual std::vector<replica_view> replicas() = 0;
  /// Until a replica's position was seen anew, or the deadline.
  virtual void wait_for_news(steady_time deadline) = 0;
  virtual std::string primary_name() const = 0;
  virtual std::string replica_name(std::size_t index) const = 0;
  /// Races reads whose options ask for it; null: none are raced. Lifetime: that of the host.
  virtual read_racer* racer() noexcept { return nullptr; }
  /// A read of a replica begins, and how it ended. `took` counts for `answered`.
  enum class replica_news : unsigned char { begun, answered, failed, not_far_enough };
  virtual void told(std::size_t /*index*/, replica_news, std::chrono::nanoseconds /*took*/) noexcept {}
};

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
  std::optional<read_fence> fence{};  ///< read where the primary is asked for by `consistency::primary`, or
                                      ///< the statement locks rows
  std::size_t turn{};                 ///< spreads reads over replicas
  steady_time deadline{};
};

/// Errors: those of SQLSTATE; `fence_closed`, `epoch_stale` (with a fence: read again under a newer
/// generation); `node_unreachable`. Cost: one round trip where the first choice holds.
result<read_answer> read_routed(read_host& host, read_request const& request);

}  // namespace v0
}  // namespace shardway
