// A position in one node's write-ahead log.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {

/// A log sequence number. It orders events of one node on one timeline, and nothing else: do not compare
/// positions of different nodes or timelines.
class lsn {
 public:
  constexpr lsn() noexcept = default;
  constexpr explicit lsn(std::uint64_t value) noexcept : value_(value) {}
  constexpr std::uint64_t value() const noexcept { return value_; }
  constexpr bool is_set() const noexcept { return value_ != 0; }
  friend constexpr auto operator<=>(lsn, lsn) noexcept = default;

  /// PostgreSQL's form, "16/B374D848".
  std::string to_string() const;
  /// Reads PostgreSQL's form. Nothing for any other text.
  static std::optional<lsn> parse(std::string_view text) noexcept;

 private:
  std::uint64_t value_{};
};

}  // namespace v0
}  // namespace shardway

#include "shardway/base/impl/lsn.ipp"
