// Bodies of write_id.hpp.
#pragma once

#include <algorithm>

#include "shardway/base/write_id.hpp"

namespace shardway {
inline namespace v0 {

inline write_id write_id::make(clock_source const& clock) {
  std::array<std::uint8_t, 10> random{};
  fill_random(random.data(), random.size());
  auto const since = std::chrono::floor<std::chrono::milliseconds>(clock.wall()).time_since_epoch();
  return from_parts(static_cast<std::uint64_t>(since.count()), random);
}

inline write_id write_id::from_parts(std::uint64_t unix_milliseconds,
                                     std::array<std::uint8_t, 10> random) noexcept {
  write_id id;
  for (unsigned i = 0; i < 6; ++i)
    id.bytes_[i] = static_cast<std::uint8_t>(unix_milliseconds >> (8 * (5 - i)));
  std::copy(random.begin(), random.end(), id.bytes_.begin() + 6);
  id.bytes_[6] = static_cast<std::uint8_t>(0x70 | (id.bytes_[6] & 0x0f));  // version 7
  id.bytes_[8] = static_cast<std::uint8_t>(0x80 | (id.bytes_[8] & 0x3f));  // the variant of RFC 9562
  return id;
}

inline std::optional<write_id> write_id::parse(std::string_view text) noexcept {
  auto const bytes = uuid_text::parse(text);
  if (!bytes || ((*bytes)[6] >> 4) != 7 || ((*bytes)[8] >> 6) != 2) return std::nullopt;
  write_id id;
  id.bytes_ = *bytes;
  return id;
}

inline std::string write_id::to_string() const { return uuid_text::print(bytes_); }

inline std::chrono::sys_time<std::chrono::milliseconds> write_id::time() const noexcept {
  std::int64_t value = 0;
  for (unsigned i = 0; i < 6; ++i) value = value * 256 + bytes_[i];
  return std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{value}};
}

}  // namespace v0
}  // namespace shardway
