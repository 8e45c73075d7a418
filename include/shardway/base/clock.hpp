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

/// The machine's clock.
clock_source const& system_clock_source() noexcept;

/// Fills bytes from the operating system's random source (getrandom).
void fill_random(std::uint8_t* bytes, std::size_t count) noexcept;

}  // namespace v0
}  // namespace shardway

#include "shardway/base/impl/clock.ipp"
