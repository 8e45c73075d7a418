// The breaker of one shard: stops trying dual writes on a shard that doesn't answer. Pure: state + event ->
// action.
#pragma once

#include <algorithm>
#include <chrono>

#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {

struct breaker_options {
  unsigned failures_max{5};  ///< > 0: failures in a row that open it
  std::chrono::milliseconds first_wait{
      200};  ///< > 0: from opening to the first trial; doubles with each failed one
  std::chrono::milliseconds wait_max{10000};  ///< >= first_wait
};

/// Closed: every write is tried. Open: none. Half open: one trial at a time decides.
/// Thread safety: none; the holder locks.
class breaker {
 public:
  explicit constexpr breaker(breaker_options options = {}) noexcept
      : options_(options), wait_(options.first_wait) {}

  /// May a write be tried now? True makes the caller owe `succeeded`, `failed` or `gave_up`.
  constexpr bool may_try(steady_time now) noexcept {
    if (state_ == state_type::closed) return true;
    if (state_ == state_type::trying || now < until_) return false;
    state_ = state_type::trying;
    return true;
  }
  /// The shard answered. True if this closed it.
  constexpr bool succeeded() noexcept {
    bool const was_open = state_ != state_type::closed;
    state_ = state_type::closed;
    failures_ = 0;
    wait_ = options_.first_wait;
    return was_open;
  }
  /// No answer in time, or no connection. True if this opened it.
  constexpr bool failed(steady_time now) noexcept {
    ++failures_;
    if (state_ == state_type::open || (state_ == state_type::closed && failures_ < options_.failures_max))
      return false;
    bool const was_closed = state_ == state_type::closed;
    if (!was_closed) wait_ = std::min(wait_ * 2, options_.wait_max);
    state_ = state_type::open;
    until_ = now + wait_;
    return was_closed;
  }
  /// The trial ended without telling anything of the shard.
  constexpr void gave_up() noexcept {
    if (state_ == state_type::trying) state_ = state_type::open;
  }
  constexpr bool is_open() const noexcept { return state_ != state_type::closed; }

 private:
  enum class state_type : unsigned char { closed, open, trying };
  breaker_options options_;
  state_type state_{state_type::closed};
  unsigned failures_{};
  std::chrono::milliseconds wait_;
  steady_time until_{};
};

}  // namespace v0
}  // namespace shardway
