// Bodies of clock.hpp. Linux: libstdc++ and libc++ both read CLOCK_MONOTONIC for steady_clock.
#pragma once

#include <atomic>
#include <cerrno>

#include <sys/random.h>
#include <time.h>

#include "shardway/base/clock.hpp"
#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {

class machine_clock final : public clock_source {
 public:
  steady_time now() const noexcept override { return std::chrono::steady_clock::now(); }
  std::chrono::system_clock::time_point wall() const noexcept override {
    return std::chrono::system_clock::now();
  }
  void sleep_until(steady_time until) const override {
    auto const since = until.time_since_epoch();
    auto const seconds = std::chrono::floor<std::chrono::seconds>(since);
    timespec const wake_time{static_cast<time_t>(seconds.count()),
                             static_cast<long>(std::chrono::nanoseconds(since - seconds).count())};
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake_time, nullptr) == EINTR) {
    }
  }
};

namespace clock_detail {
inline machine_clock const machine{};
inline std::atomic<clock_source const*> replaced{nullptr};  // nothing: the machine's
}  // namespace clock_detail

inline clock_source const& system_clock_source() noexcept {
  auto const* replaced = clock_detail::replaced.load(std::memory_order_acquire);
  return replaced ? *replaced : clock_detail::machine;
}

inline steady_time steady_now() noexcept { return system_clock_source().now(); }

inline void sleep_for(std::chrono::nanoseconds duration) {
  auto const& clock = system_clock_source();
  clock.sleep_until(clock.now() + duration);
}

inline clock_replacement::clock_replacement(clock_source const& clock) noexcept {
  auto const* before = clock_detail::replaced.exchange(&clock, std::memory_order_acq_rel);
  ensure(before == nullptr, "one clock replaces the machine's at a time");
}

inline clock_replacement::~clock_replacement() {
  clock_detail::replaced.store(nullptr, std::memory_order_release);
}

inline void fill_random(std::uint8_t* bytes, std::size_t count) noexcept {
  while (count > 0) {
    auto const got = ::getrandom(bytes, count, 0);
    if (got < 0) {
      ensure(errno == EINTR, "the operating system gives no random bytes (getrandom)");
      continue;
    }
    bytes += got;
    count -= static_cast<std::size_t>(got);
  }
}

}  // namespace v0
}  // namespace shardway
