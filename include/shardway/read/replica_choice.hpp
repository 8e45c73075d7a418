// Which replica answers a read, if any. Pure. Keeps I8: a read under a token sees every write in the token.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "shardway/base/clock.hpp"
#include "shardway/read/read_options.hpp"
#include "shardway/read/session_token.hpp"

namespace shardway {
inline namespace v0 {

/// A replica as it was last seen. A position counts for one connection only (R4): a lost one makes `known` false.
struct replica_view {
  bool known{};              ///< polled on a connection that still stands, and in recovery then
  token_position at{};       ///< its system, incarnation and replay position
  bool tried{};              ///< this call has read from it already, and it was not far enough or failed
};

/// What a read needs of a replica. Nothing: any position will do.
struct read_need {
  std::optional<token_position> position{};
  bool cannot_be_judged{};  ///< the token names another system or incarnation than the node has: only the primary knows (R1)
};

enum class read_place : unsigned char { replica, wait, primary };
struct read_choice {
  read_place place{read_place::primary};
  std::size_t replica{};  ///< index, for `replica`
  friend bool operator==(read_choice const&, read_choice const&) = default;
};

/// Has this position everything that is needed? Positions of other systems or incarnations satisfy nothing.
constexpr bool satisfies(token_position const& at, token_position const& need) noexcept {
  return at.system_identifier == need.system_identifier && at.incarnation == need.incarnation && at.position >= need.position;
}

/// Chooses. `turn` spreads reads over replicas that would do; `may_wait`: the wait budget is not spent.
///
/// A polled position is only a hint: the read checks again in its own batch (R3). Where no replica is far enough, waiting is worth it
/// only for one that is known and of the right incarnation.
constexpr read_choice choose_replica(consistency fresh, read_need const& need, std::span<replica_view const> replicas, std::size_t turn,
                                     bool may_wait) noexcept {
  if (fresh == consistency::primary || need.cannot_be_judged) return {};
  if (need.position && need.position->position == unknown_position) return {};
  bool could_come = false;
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    auto const index = (turn + i) % replicas.size();
    auto const& one = replicas[index];
    if (!one.known) continue;
    bool const enough = !need.position || satisfies(one.at, *need.position);
    if (enough && !one.tried) return {read_place::replica, index};
    could_come = could_come || (need.position && one.at.system_identifier == need.position->system_identifier &&
                                one.at.incarnation == need.position->incarnation && !enough);
  }
  return {could_come && may_wait ? read_place::wait : read_place::primary, 0};
}

}  // namespace v0
}  // namespace shardway
