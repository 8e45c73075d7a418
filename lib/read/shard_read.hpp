// Reads that a shard serves while the source still has authority: which slots, and when the shard may answer.
// Keeps I8.
#pragma once

#include <optional>
#include <string>

#include "lib/protocol/stream_proof.hpp"
#include "lib/read/replica_choice.hpp"
#include "lib/store/lent_session.hpp"

namespace shardway {
inline namespace v0 {

/// Is the slot among `percent` of all slots? Stable: a slot that is in at one percentage is in at every
/// higher one. The slots are spread over all shards.
constexpr bool served_by_shard(slot_id slot, std::uint32_t percent) noexcept {
  constexpr std::uint32_t odd = 1663;  // odd, so that each slot has a rank of its own
  return (slot.value() * odd % limits::slot_count) * 100 < percent * limits::slot_count;
}

/// A shard as it was last seen; `at.position` is its stream's position in the source's WAL.
struct shard_view {
  bool known{};    ///< polled on a connection that still stands, and nothing is parked there
  bool avoided{};  ///< it failed a moment ago
  lsn applied{};
};

enum class shard_place : unsigned char { shard, wait, source };

/// Chooses. A polled position is only a hint; the read proves it again in its own batch.
constexpr shard_place choose_shard(read_need const& need, shard_view const& shard, bool may_wait) noexcept {
  if (need.cannot_be_judged || !shard.known || shard.avoided) return shard_place::source;
  if (!need.position || shard.applied >= need.position->position) return shard_place::shard;
  if (need.position->position == unknown_position) return shard_place::source;
  return may_wait ? shard_place::wait : shard_place::source;
}

/// What such a read needs of the world. Thread safety: one thread at a time.
class shard_host {
 public:
  virtual ~shard_host() = default;
  virtual result<lent_session> lend(steady_time deadline) = 0;
  virtual shard_view view() = 0;
  virtual void wait_for_news(steady_time deadline) = 0;
  virtual std::string name() const = 0;
  enum class news : unsigned char { begun, answered, failed, not_far_enough };
  virtual void told(news, std::chrono::nanoseconds took) noexcept = 0;
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

/// Nothing: the shard is not far enough, failed, or answered with an error; the source is to be read.
/// Cost: one round trip, a read-only transaction.
std::optional<read_answer> read_on_shard(shard_host& host, shard_request const& request);

}  // namespace v0
}  // namespace shardway
