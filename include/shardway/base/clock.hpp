// The seam for time and randomness, so that decisions are tested without waiting.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace shardway {
inline namespace v0 {

using steady_time = std::chrono::steady_clock::time_point;

/// Where the library asks for the time. Thread safety: shared use is safe.
class clock_source {
 public:
  virtual ~clock_source() = default;
  virtual steady_time now() const noexcept = 0;
  virtual std::chrono::system_clock::time_point wall() const noexcept = 0;
  virtual void sleep_until(steady_time) const = 0;
};

/// The clock that the library asks: the machine's, unless a `clock_replacement` stands.
/// Thread safety: safe. Cost: one atomic load.
clock_source const& system_clock_source() noexcept;

/// `now` of that clock.
steady_time steady_now() noexcept;
/// Sleeps by that clock.
void sleep_for(std::chrono::nanoseconds);

/// Puts a clock in the machine's place for the whole process, for tests: a parameter for the clock in every
/// call would be noise for everyone else. Waits for another thread (condition variables) and for a socket
/// keep the machine's time. Preconditions: no other replacement stands. Thread safety: other threads may ask
/// for the time meanwhile. Lifetime: the clock outlives every thread that asks it.
class clock_replacement {
 public:
  explicit clock_replacement(clock_source const&) noexcept;
  ~clock_replacement();
  clock_replacement(clock_replacement const&) = delete;
  clock_replacement& operator=(clock_replacement const&) = delete;
};

/// Fills bytes from the operating system's random source (getrandom).
void fill_random(std::uint8_t* bytes, std::size_t count) noexcept;

}  // namespace v0
}  // namespace shardway

#include "shardway/base/impl/clock.ipp"
