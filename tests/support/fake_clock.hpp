// A clock that a test moves: it stands still, and a sleep moves it at once.
#pragma once

#include <atomic>

#include "shardway/base/clock.hpp"

namespace shardway_test {

/// Takes the machine's place for the whole process while it lives. Waits for other threads keep the machine's
/// time. Preconditions: none other lives. Thread safety: shared use is safe.
class fake_clock final : public shardway::clock_source {
 public:
  shardway::steady_time now() const noexcept override {
    return shardway::steady_time{std::chrono::nanoseconds{now_.load()}};
  }
  std::chrono::system_clock::time_point wall() const noexcept override {
    return std::chrono::system_clock::time_point{
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::nanoseconds{now_.load()})};
  }
  void sleep_until(shardway::steady_time until) const override {
    auto const wanted = std::chrono::nanoseconds{until.time_since_epoch()}.count();
    auto before = now_.load();
    while (before < wanted && !now_.compare_exchange_weak(before, wanted)) {
    }
  }
  /// Time passes.
  void advance(std::chrono::nanoseconds by) noexcept { now_ += by.count(); }

 private:
  mutable std::atomic<std::int64_t> now_{std::chrono::nanoseconds{std::chrono::hours{500'000}}.count()};
  shardway::clock_replacement replacement_{*this};
};

}  // namespace shardway_test
