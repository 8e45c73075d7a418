// What a shard reports about its stream in the batch of a read: whether it holds everything up to a position
// of the source. Keeps I8.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "shardway/base/ids.hpp"
#include "shardway/base/lsn.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// A shard's report about its stream. Positions are the source's.
struct stream_proof {
  lsn applied{};               ///< everything the source committed up to here is on the shard (I5)
  std::uint64_t generation{};  ///< the newest that has been copied to the shard
  bool parked{};               ///< a change waits beside the stream: `applied` proves nothing
  shardway::epoch epoch{};  ///< of the shard's fence row for the slot: it follows the source's flips, so it
                            ///< tells the source's history
};

/// Preconditions: runs in the read's own transaction, before it or in its snapshot.
statement stream_proof_statement(std::string_view group, slot_id);
/// Errors: `protocol_violation`.
result<stream_proof> parse_stream_proof(rows const&);

/// Whether the proof holds for a reader that routes by this generation and expects this epoch of the source.
/// A shard that knows a newer generation may be about to be copied again. A shard of another epoch follows
/// another history of the source, so its positions mean nothing.
constexpr bool holds(stream_proof const& said, std::uint64_t generation, epoch expected) noexcept {
  return said.applied.is_set() && !said.parked && said.generation <= generation && said.epoch == expected;
}

}  // namespace v0
}  // namespace shardway
