// How fresh a read must be, and how long it may wait.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>

#include "shardway/base/lsn.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Which node may answer a read.
enum class consistency : unsigned char {
  /// The authority. It reads the fence in the same flush, so a node without authority never answers.
  primary,

  /// A node that has every write in the session's token: a replica if one has got that far.
  read_your_writes,

  /// A replica that has everything committed `staleness_max` ago or earlier, by the primary's positions as
  /// this
  /// client polled them.
  bounded_staleness,

  /// Any replica, however far behind.
  any_replica,
};

/// Options of `client_session::read` and the calls built on it.
///
/// @code
/// auto answer = session.read("shop.orders", key, sql, parameters,
///                            {.fresh = consistency::bounded_staleness, .staleness_max =
///                            std::chrono::seconds{2}});
/// @endcode
struct read_options {
  /// How fresh the answer must be.
  consistency fresh{consistency::read_your_writes};

  /// > 0; for `bounded_staleness`. If it is below the client's `replica_interval`, the primary is read.
  std::chrono::milliseconds staleness_max{1000};

  /// >= 0. How long to wait for a replica before the primary is read.
  std::chrono::milliseconds wait_budget{50};

  /// > 0. Covers the whole call.
  std::chrono::milliseconds deadline{30000};

  /// >= 0; 0 turns hedging off. If a replica has not answered by then, another node that satisfies the token
  /// gets the same read; the primary may be that node. The first answer counts, and the other statement is
  /// cancelled. Locking reads are never hedged, and at most one read in ten is.
  std::chrono::milliseconds hedge_after{0};

  /// Stops the call. A stop cancels the running statement of a `read`, or its wait for a replica or a fence,
  /// and the call fails with `cancelled`. A read that can be stopped is not hedged. The thread that requests
  /// the stop opens a connection to the server.
  std::stop_token cancel{};

  /// A label for reports. Empty: the place in the source that calls.
  std::string call_site{};
};

/// What a read returned, and who answered.
struct read_answer {
  rows returned;

  /// "source", or the name of a replica or shard.
  std::string node;

  bool from_replica{};

  /// The replica's replay position in the read's own batch; 0 from a primary. With `from_shard`: how far the
  /// shard is in the source's WAL.
  lsn position{};

  std::chrono::microseconds waited{};

  /// A shard answered while the source has authority.
  bool from_shard{};

  /// A second node was asked too.
  bool hedged{};
};

}  // namespace v0
}  // namespace shardway
