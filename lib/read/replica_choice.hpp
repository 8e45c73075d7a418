// Which replica answers a read, if any. Pure. Keeps I8: a read under a token sees every write in the token.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "shardway/base/clock.hpp"
#include "shardway/read/read_options.hpp"
#include "shardway/read/session_token.hpp"

namespace shardway {
inline namespace v0 {

/// A replica as it was last polled. A position counts for one connection only (R4): if that is lost,
/// `known` is false.
struct replica_view {
  bool known{};               ///< polled on a connection that still stands, and in recovery then
  token_position position{};  ///< its system, incarnation and replay position
  bool tried{};               ///< this call has read from it already, and it was not far enough or failed
  bool avoided{};             ///< it failed a moment ago
  std::chrono::nanoseconds
      cost{};  ///< how long a read there would wait, as measured; 0: not known, so it is worth trying
};

/// What a read needs of a replica. Nothing: any position will do.
struct read_need {
  std::optional<token_position> position{};
  bool cannot_be_judged{};  ///< the token names another system or incarnation than the node's: only the
                            ///< primary can answer (R1)
};

enum class read_place : unsigned char { replica, wait, primary };
struct read_choice {
  read_place place{read_place::primary};
  std::size_t replica{};  ///< index, for `replica`
  friend bool operator==(read_choice const&, read_choice const&) = default;
};

/// Whether the position covers everything that is needed. Positions of other systems or incarnations
/// satisfy nothing. One replica's position says nothing about another replica (R8).
constexpr bool satisfies(token_position const& reached, token_position const& need) noexcept {
  return reached.system_identifier == need.system_identifier && reached.incarnation == need.incarnation &&
         reached.position >= need.position;
}

/// One read in this many goes to the replica whose turn it is, whatever its cost, so that its latency is
/// measured again.
inline constexpr std::size_t explore_every = 16;

/// Spreads the bits of a turn, so that neighbouring turns do not look alike.
constexpr std::size_t spread_turn(std::size_t turn) noexcept {
  auto bits = static_cast<std::uint64_t>(turn) + 0x9e3779b97f4a7c15U;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
  return static_cast<std::size_t>(bits ^ (bits >> 31));
}

/// Whether this replica may answer now.
constexpr bool is_eligible(replica_view const& one, read_need const& need) noexcept {
  return one.known && !one.tried && !one.avoided &&
         (!need.position || satisfies(one.position, *need.position));
}

/// Chooses a node. `turn` spreads reads over the eligible replicas. `may_wait`: the wait budget is not
/// used up.
///
/// Two eligible replicas are compared, the one whose turn it is and another, and the cheaper one answers.
/// So the fastest gets the most reads, but never all. A polled position is only a hint: the read checks
/// again in its own batch (R3). If no replica is far enough, waiting helps only if one is known and of
/// the right incarnation.
constexpr read_choice choose_replica(consistency fresh, read_need const& need,
                                     std::span<replica_view const> replicas, std::size_t turn,
                                     bool may_wait) noexcept {
  if (fresh == consistency::primary || need.cannot_be_judged) return {};
  if (need.position && need.position->position == unknown_position) return {};
  std::size_t eligible = 0;
  bool could_come = false;
  for (auto const& one : replicas) {
    if (is_eligible(one, need)) ++eligible;
    could_come =
        could_come ||
        (one.known && need.position && one.position.system_identifier == need.position->system_identifier &&
         one.position.incarnation == need.position->incarnation && !satisfies(one.position, *need.position));
  }
  if (eligible == 0) return {could_come && may_wait ? read_place::wait : read_place::primary, 0};
  auto const nth = [&](std::size_t wanted) {
    std::size_t index = 0;
    while (!is_eligible(replicas[index], need) || wanted-- > 0) ++index;
    return index;
  };
  auto const first = nth(turn % eligible);
  if (eligible == 1 || spread_turn(turn) % explore_every == 0) return {read_place::replica, first};
  auto const second = nth((turn % eligible + 1 + (spread_turn(turn) >> 8) % (eligible - 1)) % eligible);
  return {read_place::replica, replicas[second].cost < replicas[first].cost ? second : first};
}

}  // namespace v0
}  // namespace shardway
