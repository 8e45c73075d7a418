// Numbers in the text form of the server.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

/// The whole text as a number. Nothing for any other text, and for a number that `Integer` does not hold.
template <class Integer>
std::optional<Integer> number_of(std::string_view text) noexcept {
  Integer value{};
  auto const end_of_text = text.data() + text.size();
  auto const [end, failure] = std::from_chars(text.data(), end_of_text, value);
  if (failure != std::errc{} || end != end_of_text) return std::nullopt;
  return value;
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
