// Bodies of lsn.hpp.
#pragma once

#include <charconv>

#include "shardway/base/lsn.hpp"

namespace shardway {
inline namespace v0 {
namespace lsn_text {

inline void append_hex(std::string& text, std::uint32_t value) {
  char digits[8]{};
  auto const end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  for (char const* digit = digits; digit != end; ++digit)
    text.push_back(*digit >= 'a' ? static_cast<char>(*digit - 'a' + 'A') : *digit);
}

/// One half: 1 to 8 hexadecimal digits and nothing else.
inline std::optional<std::uint32_t> half(std::string_view text) noexcept {
  if (text.empty() || text.size() > 8) return std::nullopt;
  std::uint32_t value = 0;
  auto const [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace lsn_text

inline std::string lsn::to_string() const {
  std::string text;
  text.reserve(17);
  lsn_text::append_hex(text, static_cast<std::uint32_t>(value_ >> 32));
  text.push_back('/');
  lsn_text::append_hex(text, static_cast<std::uint32_t>(value_));
  return text;
}

inline std::optional<lsn> lsn::parse(std::string_view text) noexcept {
  auto const slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto const high = lsn_text::half(text.substr(0, slash));
  auto const low = lsn_text::half(text.substr(slash + 1));
  if (!high || !low) return std::nullopt;
  return lsn{(std::uint64_t{*high} << 32) | *low};
}

}  // namespace v0
}  // namespace shardway
