// Generations in the databases: how one is published and read. Keeps I3: no published epoch ever goes back.
//
// A generation is copied to every shard before the source. A client that reads the newest one on any node can
// start from it while the source is down.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Channel of the notification that each node sends when it has a new generation; the payload is its number.
inline constexpr char const* generation_channel = "shardway_generation";

/// The newest generation that this node holds; nothing if none was published.
///
/// Errors: `corrupt_data` if its checksum is wrong.
/// Cost: one round trip.
result<std::optional<generation>> read_newest_generation(session&);

/// The newest generation past a number that can be read, and the newest number there is. They differ where a
/// document is corrupt, belongs to another number than the one it is stored under, or was written by a newer
/// version of the library.
struct readable_generation {
  std::optional<generation> found{};
  std::uint64_t newest{};  ///< 0: there is none past the number
  error why{};             ///< why the newest could not be read
};

/// Reads at most the newest four past `above`.
///
/// Errors: those of the query only.
/// Cost: one round trip.
result<readable_generation> read_newest_readable_generation(session&, std::uint64_t above);

/// The number alone: 0 if none was published. Cost: one round trip.
result<std::uint64_t> newest_generation_number(session&);

/// One more than the newest number on any of the nodes, so that a number which a dead controller has copied
/// to only some nodes is never used again.
///
/// Cost: one round trip; all nodes are asked at once.
result<std::uint64_t> next_generation_number(session& source, std::vector<session*> const& shards);

/// Refuses what would break I3: for each slot of each group the epoch may only grow, and authority may only
/// change with it.
///
/// Errors: `precondition_failed`, which names group and slots; `epoch_overflow`.
result<> check_successor(generation const& before, generation const& after);

/// Copies the generation to every shard, then to the source. Each copy is read back and its SHA-256 compared,
/// and each node notifies its clients.
///
/// A crash in between leaves a copy on some nodes. Publishing the same document again completes it.
///
/// Preconditions: no transaction is open on the sessions; all roles are the engine's.
/// Errors: `not_leader`; `precondition_failed` (I3, or the number is taken by another document);
/// `corrupt_data` (a copy differs).
/// Cost: three round trips a node.
result<> publish_generation(session& source, std::vector<session*> const& shards, generation const&,
                            std::int64_t token);

}  // namespace v0
}  // namespace shardway
