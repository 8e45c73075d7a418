// Cancels what a session is doing when the caller asks to stop; only around statements, never around COMMIT.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// When it has ended no cancel is on its way any more: the server has sent its process the signal, which an
/// idle one ignores. Inside a transaction the next statement after a stop can only be ROLLBACK, twice if the
/// first is the one that the signal ends. Lifetime: the session outlives it.
class stop_guard {
 public:
  stop_guard(std::stop_token const& token, session const& on) {
    if (token.stop_possible()) callback_.emplace(token, on.cancel_handle());
  }

 private:
  std::optional<std::stop_callback<std::function<void()>>> callback_;
};

}  // namespace v0
}  // namespace shardway
