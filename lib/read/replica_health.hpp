// What a client has learned about one replica: how fast it answers, and whether to avoid it for a while.
// Pure.
#pragma once

#include <algorithm>
#include <chrono>

#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {

/// Thread safety: not safe; its owner locks.
class replica_health {
 public:
  static constexpr std::chrono::milliseconds pause_min{
      250};  ///< after the first failure in a row; doubles with each further one
  static constexpr std::chrono::milliseconds pause_max{5000};

  /// It answered a poll of its position. The newest answer weighs a fifth, so that one slow answer
  /// changes little.
  constexpr void polled(std::chrono::nanoseconds took) noexcept {
    latency_ = latency_.count() == 0 ? took : latency_ + (took - latency_) / 5;
    latency_ = std::max(latency_, std::chrono::nanoseconds{1});
  }
  /// It answered a read, which ends every pause. A poll that works does not prove that reads work.
  constexpr void answered(std::chrono::nanoseconds took) noexcept {
    polled(took);
    failures_ = 0;
    avoid_until_ = {};
  }
  /// It could not be reached, broke, or cancelled a read because of replay.
  constexpr void failed(steady_time now) noexcept {
    auto const pause =
        std::min<std::chrono::milliseconds>(pause_max, pause_min * (1 << std::min(failures_, 5)));
    ++failures_;
    avoid_until_ = now + pause;
  }
  constexpr void begun() noexcept { ++in_flight_; }
  constexpr void ended() noexcept { in_flight_ = std::max(0, in_flight_ - 1); }

  constexpr bool is_avoided(steady_time now) const noexcept { return now < avoid_until_; }
  constexpr std::chrono::nanoseconds latency() const noexcept { return latency_; }
  /// Roughly how long one more read would wait. Reads in flight count, so that not all reads go to the
  /// replica that was fastest a moment ago.
  constexpr std::chrono::nanoseconds cost() const noexcept { return latency_ * (1 + in_flight_); }

 private:
  std::chrono::nanoseconds latency_{};
  steady_time avoid_until_{};
  int failures_{};
  int in_flight_{};
};

}  // namespace v0
}  // namespace shardway
