// (epoch, LSN) of a write in 8 bytes. One comparison orders the writes of a row. Keeps I3.
//
// Layout: sign bit 0, epoch in 10 bits, LSN / 8 in 53 bits. A later epoch outranks every LSN of an earlier
// one. PostgreSQL aligns records to 8 bytes, so a division by 8 keeps distinct records distinct. The value 0
// is the version of a copied row.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "shardway/base/ids.hpp"
#include "shardway/base/lsn.hpp"

namespace shardway {
inline namespace v0 {

class row_version {
 public:
  constexpr row_version() noexcept = default;

  /// Nothing if the epoch is past `limits::epoch_max` or the LSN needs more than 56 bits.
  static constexpr std::optional<row_version> make(epoch write_epoch, lsn position) noexcept {
    if (write_epoch.value() > limits::epoch_max || (position.value() >> 56) != 0) return std::nullopt;
    return row_version{
        static_cast<std::int64_t>((std::uint64_t{write_epoch.value()} << 53) | (position.value() >> 3))};
  }
  /// From the database's bigint. Nothing for a negative number.
  static constexpr std::optional<row_version> from_bigint(std::int64_t value) noexcept {
    if (value < 0) return std::nullopt;
    return row_version{value};
  }

  constexpr std::int64_t bigint() const noexcept { return value_; }
  constexpr epoch at_epoch() const noexcept { return epoch{static_cast<std::uint16_t>(value_ >> 53)}; }
  /// The LSN, rounded down to a multiple of 8.
  constexpr lsn position() const noexcept {
    return lsn{(static_cast<std::uint64_t>(value_) & ((std::uint64_t{1} << 53) - 1)) << 3};
  }
  friend constexpr auto operator<=>(row_version, row_version) noexcept = default;

 private:
  constexpr explicit row_version(std::int64_t value) noexcept : value_(value) {}
  std::int64_t value_{};
};

}  // namespace v0
}  // namespace shardway
