// The audit log. Each entry carries the hash of the entry before it, so that a changed or missing entry
// shows.
//
// The chain cannot show that its newest entries were cut off. To notice that, keep `audit_head` in another
// place and compare.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

struct audit_entry {
  std::int64_t id{};
  std::string actor;
  std::string action;
  std::string detail;  ///< a JSON object; never a key or a row value
  std::string previous_sha256;
  std::string sha256;
  std::string recorded_at;  ///< timestamptz, UTC
};

struct audit_head {
  std::int64_t entries{};
  std::string sha256;  ///< of the newest entry; empty when there is none
};

/// Appends an entry. It holds SHARE ROW EXCLUSIVE on the log until its transaction ends, so that all entries
/// form one chain.
///
/// Preconditions: no transaction is open on the session.
/// Errors: `invalid_argument` (a transaction is open), `in_doubt` (the COMMIT gave no answer).
/// Cost: three round trips.
result<> append_audit(session& catalog, std::string_view actor, std::string_view action,
                      std::string_view detail_json);

/// The newest `limit` entries, oldest first.
result<std::vector<audit_entry>> read_audit(session& catalog, std::size_t limit);

/// Computes the whole chain again.
///
/// Errors: `corrupt_data`, which names the first entry that does not fit.
/// Cost: a round trip for every 1,000 entries.
result<audit_head> verify_audit(session& catalog);

}  // namespace v0
}  // namespace shardway
