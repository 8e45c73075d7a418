// The call reports of all clients, and the writers that the write guard recorded: what `shardway observe`
// shows.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/observe/call_report.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Replaces the client's report. Runs with the application role. The first report of a new client removes the
/// reports that nobody has renewed for 14 days, and all but the newest 1,000.
///
/// Cost: one round trip.
result<> put_call_report(session& catalog, std::string const& client_id, std::string const& application,
                         std::string const& document_json);

/// The reports of many processes as one.
struct collected_reports {
  call_report calls;
  std::int64_t clients{};                 ///< processes that reported
  std::vector<std::string> applications;  ///< their names, sorted
  std::string since;                      ///< when the oldest of them began; empty without any
  std::string until;                      ///< when the newest was written
};

/// Adds up the reports that were renewed in the last `within`. The database does the sums.
///
/// Cost: five round trips.
result<collected_reports> collect_call_reports(session& catalog, std::chrono::seconds within);

/// A writer that changed an onboarded table without the library, as the write guard of this node recorded it.
struct foreign_writer {
  std::string relation;
  std::string operation;  ///< insert, update, delete, truncate
  std::string application;
  std::string role;
  std::int64_t statements{};
  std::string last_seen;
};

/// The writers with most statements first. The guard records nothing before a table's group is at `copying`.
result<std::vector<foreign_writer>> list_foreign_writers(session& node, std::chrono::seconds within);

}  // namespace v0
}  // namespace shardway
