// Replication slots for change streams: make, look at, drop.
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

/// What the server says of one logical replication slot.
struct replication_slot_state {
  std::string name;
  std::string plugin;
  std::string database;
  bool is_active{};               ///< a connection streams from it
  lsn confirmed_flush;            ///< what the consumer has confirmed: the stream goes on from here
  lsn restart;                    ///< WAL is kept from here; unset once lost
  std::string wal_status;         ///< reserved, extended, unreserved or lost
  std::int64_t retained_bytes{};  ///< WAL kept for it; 0 once lost

  bool is_lost() const noexcept { return wal_status == "lost" || !restart.is_set(); }
};

/// Makes a logical replication slot with pgoutput and tells its consistent point: every transaction that
/// commits after it is streamed.
///
/// The server waits for every transaction with an xid that is open or prepared (M6); only `timeout` ends
/// that, and then nothing is left. Preconditions: no transaction is open on the session; `timeout` > 0.
/// Errors: `precondition_failed` (it exists already, wal_level is not logical, no replication slot is free),
/// `permission_denied`, `deadline_exceeded` (`timeout` passed; retryable once the old transactions are gone).
/// Cost: one round trip, and the wait.
result<lsn> create_logical_replication_slot(session&, std::string const& name,
                                            std::chrono::milliseconds timeout);

/// Drops it if it exists; true if it did. Errors: `precondition_failed` if it is in use.
result<bool> drop_replication_slot(session&, std::string const& name);

/// Its state, or nothing if there is none of that name. Cost: one round trip.
result<std::optional<replication_slot_state>> find_replication_slot(session&, std::string const& name);

}  // namespace v0
}  // namespace shardway
