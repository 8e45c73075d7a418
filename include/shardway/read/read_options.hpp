// How fresh a read must be, and what it may wait for.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>

#include "shardway/base/lsn.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

enum class consistency : unsigned char {
  primary,  ///< on the authority; the fence is read in the same flush, so that a node without authority never
            ///< answers
  read_your_writes,  ///< sees every write in the session's token, on a replica where one has got that far
  /// a replica that has everything committed `staleness_max` ago or earlier, by the primary's positions as
  /// this client saw them
  bounded_staleness,
  any_replica,  ///< any replica, however far behind
};

struct read_options {
  consistency fresh{consistency::read_your_writes};
  /// for bounded_staleness; > 0. Below the client's `replica_interval` it reads the primary.
  std::chrono::milliseconds staleness_max{1000};
  std::chrono::milliseconds wait_budget{
      50};  ///< >= 0: how long to wait for a replica before the primary is read
  std::chrono::milliseconds deadline{30000};  ///< > 0: the whole call
  /// >= 0; 0: off. A replica that has not answered by then is raced by another node that satisfies the token,
  /// the primary among them: the first answer counts, the other statement is cancelled. Never of locking
  /// reads. At most one read in ten is hedged.
  std::chrono::milliseconds hedge_after{0};
  /// A stop cancels the running statement of a `read`, or its wait for a replica or a fence; the call fails
  /// with `cancelled`. A read that can be stopped is not hedged. The thread that requests the stop makes a
  /// connection to the server.
  std::stop_token cancel{};
  std::string call_site{};  ///< a label for reports; "": the place in the source that calls
};

/// What a read returned and who answered.
struct read_answer {
  rows returned;
  std::string node;  ///< "source", or a replica's or shard's name
  bool from_replica{};
  lsn position{};  ///< the replica's replay position in the read's own batch; 0 from a primary
  std::chrono::microseconds waited{};
  /// A shard answered while the source has authority: `position` is then how far it is in the source's WAL.
  bool from_shard{};
  bool hedged{};  ///< a second node was asked too
};

}  // namespace v0
}  // namespace shardway
