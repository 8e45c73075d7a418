// Which processes use the library, and on which generation (K3). The wave's gate names a silent client and
// never ignores it until its entry expires.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

struct client_entry {
  std::string client_id;  ///< a UUID, one a process
  std::string application;
  std::string library_version;
  std::uint64_t generation{};
  /// Since its last heartbeat, by the database's clock. Ignored when the entry is written.
  std::chrono::milliseconds silent_for{};
};

/// Registers the client or renews its entry. Call it every few seconds. Runs with the application role.
///
/// Cost: one round trip.
result<> heartbeat_client(session& catalog, client_entry const&);

/// Says that the client ends: its entry counts as expired at once. Runs with the application role.
result<> leave_client(session& catalog, std::string const& client_id);

/// All entries that have not expired.
result<std::vector<client_entry>> list_clients(session& catalog, std::chrono::seconds expire_after);

/// Those of them that are on an older generation.
result<std::vector<client_entry>> clients_behind(session& catalog, std::uint64_t generation,
                                                 std::chrono::seconds expire_after);

/// Deletes the expired entries and returns how many there were. Errors: `not_leader`.
result<std::int64_t> expire_clients(session& catalog, std::int64_t token, std::chrono::seconds expire_after);

}  // namespace v0
}  // namespace shardway
