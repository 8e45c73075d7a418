// Replication slots for change streams: create, find and drop them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "shardway/base/lsn.hpp"
#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// What the server says about one logical replication slot.
struct replication_slot_state {
  std::string name;
  std::string plugin;
  std::string database;
  bool is_active{};               ///< a connection streams from it
  lsn confirmed_flush;            ///< the consumer has confirmed up to here; the stream continues from here
  lsn restart;                    ///< the server keeps WAL from here; not set once lost
  std::string wal_status;         ///< reserved, extended, unreserved or lost
  std::int64_t retained_bytes{};  ///< WAL kept for it; 0 once lost

  bool is_lost() const noexcept { return wal_status == "lost" || !restart.is_set(); }
};

/// Creates a logical replication slot with pgoutput and returns its consistent point. The stream holds every
/// transaction that commits after this point.
///
/// The server waits for every transaction with an xid that is open or prepared (M6). Only `timeout` ends this
/// wait; then no replication slot remains.
///
/// Preconditions: no transaction is open on the session; `timeout` > 0.
/// Errors: `precondition_failed` (the name exists already, wal_level is not logical, or no replication slot
/// is free), `permission_denied`, `deadline_exceeded` (`timeout` passed; retryable once the old transactions
/// are gone). Cost: one round trip, and the wait.
result<lsn> create_logical_replication_slot(session&, std::string const& name,
                                            std::chrono::milliseconds timeout);

/// Drops the replication slot if it exists. True if it existed. Waits up to five seconds for a stream that
/// has just ended. Errors: `precondition_failed` if it is in use.
result<bool> drop_replication_slot(session&, std::string const& name);

/// The state of a replication slot. Nothing if none has that name. Cost: one round trip.
result<std::optional<replication_slot_state>> find_replication_slot(session&, std::string const& name);

}  // namespace v0
}  // namespace shardway
