// Cancels what a session is doing when the caller asks to stop. Use it around statements, never around
// COMMIT.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Cancels the session's statement when the token is stopped, as long as the object lives.
///
/// After its destructor no cancel is under way any more: the server has signalled its process, and an idle
/// process ignores the signal. Inside a transaction only ROLLBACK can follow a stop; run it twice, because
/// the signal may end the first one. Lifetime: the session outlives it.
class stop_guard {
 public:
  stop_guard(std::stop_token const& token, session const& guarded) {
    if (token.stop_possible()) callback_.emplace(token, guarded.cancel_handle());
  }

 private:
  std::optional<std::stop_callback<std::function<void()>>> callback_;
};

}  // namespace v0
}  // namespace shardway
