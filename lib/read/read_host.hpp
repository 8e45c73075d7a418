// How a read reaches the nodes that may answer it.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "lib/read/read_race.hpp"
#include "lib/read/replica_choice.hpp"
#include "lib/store/lent_session.hpp"

namespace shardway {
inline namespace v0 {

/// How far a read of one replica or shard has come, or how it ended.
enum class read_outcome : unsigned char { begun, answered, failed, not_far_enough };

/// What a read needs of the client. Thread safety: one thread at a time.
class read_host {
 public:
  virtual ~read_host() = default;
  virtual result<lent_session> lend_primary(steady_time deadline) = 0;
  virtual result<lent_session> lend_replica(std::size_t index, steady_time deadline) = 0;
  /// The replicas of the node with authority, as last seen.
  virtual std::vector<replica_view> replicas() = 0;
  /// Returns once a replica's position was polled again, or at the deadline.
  virtual void wait_for_news(steady_time deadline) = 0;
  virtual std::string primary_name() const = 0;
  virtual std::string replica_name(std::size_t index) const = 0;
  /// Races reads whose options ask for it; null: no read is raced. Lifetime: that of the host.
  virtual read_racer* racer() noexcept { return nullptr; }
  /// Records that a read of a replica has begun, or how it ended. `took` counts for `answered`.
  virtual void record(std::size_t /*index*/, read_outcome, std::chrono::nanoseconds /*took*/) noexcept {}
};

}  // namespace v0
}  // namespace shardway
