// One repair: makes a row on the node without authority equal to the authority's copy. Keeps I9.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "shardway/manifest/generation.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {

struct repair_target {
  table_state const& table;
  std::vector<std::string> const& key;
  std::string const& key_digest;
  session& target;                       ///< may set session_replication_role
  std::optional<shard_id> target_shard;  ///< nothing: the source is repaired
  session* authority;  ///< null: the row does not belong on the target, whatever other nodes hold
  session& catalog;    ///< where the repair is recorded
};

/// Tries once. First locks the target's row or, if the row is absent, blocks everything that could delete it
/// again. Then takes a snapshot on the authority that shows every transaction the stream had applied. Then
/// writes, records and commits the row. Returns what was done: insert, update or delete. Returns an empty
/// text if nothing had to be done, a lock was not available in time, or the target has authority for the
/// slot. A row of the authority counts only if the authority has authority for that very row's slot, and a
/// row is taken away only if it has it for the slot of this row (AP10). The image of what is deleted or
/// overwritten is kept in `shardway.salvaged` of the target. Never raises a stored version. Errors:
/// `could_not_tell` (transactions on the authority do not end before `until`); `not_leader`; connections.
result<std::string> repair_once(repair_target const&, std::int64_t token,
                                std::chrono::steady_clock::time_point until);

/// Keeps the image of a row that two nodes claim, once, and notes the conflict: for the engine's session on
/// one of these nodes.
std::vector<statement> keep_claim_statements(table_state const&, std::vector<std::string> const& key,
                                             std::string const& node);

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
