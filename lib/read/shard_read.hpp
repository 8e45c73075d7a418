// Reads that a shard serves while the source still has authority: which slots, and when the shard may answer.
// Keeps I8.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "lib/protocol/stream_proof.hpp"
#include "lib/read/read_host.hpp"
#include "lib/store/lent_session.hpp"

namespace shardway {
inline namespace v0 {

/// Whether the slot is among `percent` of all slots. Stable: a slot that is in at one percentage is in at
/// every higher one. The slots are spread over all shards.
constexpr bool served_by_shard(slot_id slot, std::uint32_t percent) noexcept {
  constexpr std::uint32_t odd = 1663;  // odd, so that each slot has a rank of its own
  return (slot.value() * odd % limits::slot_count) * 100 < percent * limits::slot_count;
}

/// A shard as it was last polled.
struct shard_view {
  bool known{};    ///< polled on a connection that still stands, and nothing is parked there
  bool avoided{};  ///< it failed a moment ago
  lsn applied{};   ///< how far its stream is in the source's WAL
};

enum class shard_place : unsigned char { shard, wait, source };

/// Chooses where to read. A polled position is only a hint: the read proves it again in its own batch.
constexpr shard_place choose_shard(read_need const& need, shard_view const& shard, bool may_wait) noexcept {
  if (need.cannot_be_judged || !shard.known || shard.avoided) return shard_place::source;
  if (!need.position || shard.applied >= need.position->position) return shard_place::shard;
  if (need.position->position == unknown_position) return shard_place::source;
  return may_wait ? shard_place::wait : shard_place::source;
}

/// What such a read needs of the client. Thread safety: one thread at a time.
class shard_host {
 public:
  virtual ~shard_host() = default;
  virtual result<lent_session> lend(steady_time deadline) = 0;
  virtual shard_view view() = 0;
  virtual void wait_for_news(steady_time deadline) = 0;
  virtual std::string name() const = 0;
  /// Records that the read has begun, or how it ended. `took` counts for `answered`.
  virtual void record(read_outcome, std::chrono::nanoseconds took) noexcept = 0;
};

struct shard_request {
  statement what;
  /// Positions are the source's, of the history that `expected` belongs to: the caller has compared system
  /// and incarnation.
  read_need need;
  std::string group;
  slot_id slot{};
  epoch expected{};            ///< of the source's authority
  std::uint64_t generation{};  ///< by which the caller routes
  steady_time wait_end{};
  steady_time deadline{};
};

/// A read-only transaction with one snapshot for the stream's proof and the read, as one flush. The read's
/// rows are the third answer. Nothing can be written: a sequence or table of the shard is not the caller's to
/// change.
std::array<statement, 4> proven_read_statements(std::string const& group, slot_id slot,
                                                statement const& read);

/// Nothing: the shard is not far enough, has failed, or answered with an error. Then read the source.
/// Cost: one round trip, a read-only transaction.
std::optional<read_answer> read_on_shard(shard_host& host, shard_request const& request);

}  // namespace v0
}  // namespace shardway
