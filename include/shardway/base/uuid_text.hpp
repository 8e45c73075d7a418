// The text form of a UUID (RFC 9562).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {
namespace uuid_text {

/// The value of one hexadecimal digit, or -1.
constexpr int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Reads "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" in lower or upper case. Nothing for any other form.
constexpr std::optional<std::array<std::uint8_t, 16>> parse(std::string_view text) noexcept {
  if (text.size() != 36) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  std::size_t position = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      if (text[position++] != '-') return std::nullopt;
    int const high = digit(text[position]), low = digit(text[position + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    position += 2;
  }
  return bytes;
}

inline std::string print(std::array<std::uint8_t, 16> const& bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(digits[bytes[i] >> 4]);
    text.push_back(digits[bytes[i] & 15]);
  }
  return text;
}

}  // namespace uuid_text

}  // namespace v0
}  // namespace shardway
