// The node that a stream reads: its replication slot, how far its WAL is, and its clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/migrate/stream/chunk.hpp"
#include "lib/pg/change_stream.hpp"
#include "lib/pg/replication_slot.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// What the origin said of itself at one moment. A value.
struct origin_reading {
  lsn end{};                               ///< of its WAL
  std::int64_t clock{};                    ///< its own, microseconds since 2000
  std::optional<xid_snapshot> snapshot{};  ///< nothing if its text did not parse
  steady_time taken_at{};                  ///< by our clock

  std::chrono::microseconds age(steady_time now) const noexcept;
  /// How long ago a transaction with this commit time committed, by the origin's clock; never below 0.
  std::chrono::milliseconds lag_of(std::int64_t commit_time, steady_time now) const noexcept;
};

/// WAL between two positions; 0 if `end` is not past `applied`.
std::int64_t bytes_between(lsn applied, lsn end) noexcept;

/// Errors: of the connection. Cost: one round trip.
result<origin_reading> read_origin(session&);

/// Where and as whom a stream is read.
struct origin_stream {
  connect_options node;
  std::string replication_slot;
  std::string publication;
  bool messages{};       ///< ask for logical messages
  std::int64_t token{};  ///< of the lease: who holds it ends an older reader
};

/// The replication slot, which must hold everything since its confirmed position. Errors: `stream_broken` if
/// it is lost or does not exist, as after a failover that did not carry it over: a fresh one would hide the
/// gap (S2, S3). `hint` tells the operator what follows.
result<replication_slot_state> find_origin_slot(session&, origin_stream const&, std::string_view hint);

/// Starts decoding at `start`. Errors: `node_unreachable` (another reader held the replication slot and was
/// ended: try again), `not_leader`; as `open_change_stream`.
result<std::unique_ptr<change_stream>> open_origin_stream(session&, origin_stream const&, lsn start);

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
