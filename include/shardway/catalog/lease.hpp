// The controller's lease and its fencing token: at most one controller acts, even if another one wakes up
// late.
//
// The lease says which controller may start; the token on every node decides. Time is always the database's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

struct controller_lease {
  std::int64_t token{};
  std::string holder;      ///< such as "host:pid"
  std::string expires_at;  ///< timestamptz in text form, UTC
  bool is_alive{};         ///< by the database's clock, when it was read
};

/// Takes the lease with a token that is higher than every one before, and higher than `floor`: pass the
/// highest token seen on any node.
///
/// Errors: `lease_held`, which names holder and expiry; `invalid_argument` for a duration that is not
/// positive. Cost: one round trip.
result<controller_lease> acquire_lease(session& catalog, std::string const& holder,
                                       std::chrono::milliseconds duration, std::int64_t floor = 0);

/// Sets the expiry to now + duration. An expired lease that nobody took is renewed too.
///
/// Errors: `not_leader` if the token is no longer the lease's.
result<> renew_lease(session& catalog, std::int64_t token, std::chrono::milliseconds duration);

/// Ends the lease at once. Nothing changes if another controller has taken it.
result<> release_lease(session& catalog, std::int64_t token);

/// Nothing if no controller ever ran.
result<std::optional<controller_lease>> read_lease(session& catalog);

/// Raises the node's token. It waits for the open transactions of older controllers; from then on their
/// transactions are refused there.
///
/// Errors: `not_leader` if the node has a higher token.
/// Cost: one round trip, and that wait.
result<> raise_token(session& node, std::int64_t token, std::string const& holder);

/// The node's token; 0 before the first controller.
result<std::int64_t> read_token(session& node);

}  // namespace v0
}  // namespace shardway
