// The identity of one dual write: a UUIDv7 (RFC 9562), which carries its time.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shardway/base/clock.hpp"
#include "shardway/base/uuid_text.hpp"

namespace shardway {
inline namespace v0 {

/// The id of one write. All attempts of the same write use the same id. Thread safety: a value.
class write_id {
 public:
  constexpr write_id() noexcept = default;
  /// A new id from the clock's milliseconds and 74 random bits. Thread safety: safe.
  static write_id make(clock_source const& clock = system_clock_source());
  /// From a given time and given random bits, for tests against the vectors of RFC 9562.
  static write_id from_parts(std::uint64_t unix_milliseconds, std::array<std::uint8_t, 10> random) noexcept;
  /// Nothing for a text that is no UUID of version 7.
  static std::optional<write_id> parse(std::string_view text) noexcept;

  std::string to_string() const;
  std::chrono::sys_time<std::chrono::milliseconds> time() const noexcept;
  std::array<std::uint8_t, 16> const& bytes() const noexcept { return bytes_; }
  friend constexpr auto operator<=>(write_id const&, write_id const&) noexcept = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace v0
}  // namespace shardway

#include "shardway/base/impl/write_id.ipp"
