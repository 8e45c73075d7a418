// Reads big-endian fields from bytes. It remembers a read beyond the end, so that a decoder checks only once
// per message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {
namespace pg {

class wire_reader {
 public:
  explicit wire_reader(std::span<std::byte const> bytes) noexcept : rest_(bytes) {}

  bool is_valid() const noexcept { return is_valid_; }
  bool is_at_end() const noexcept { return rest_.empty(); }
  std::size_t left() const noexcept { return rest_.size(); }
  void fail() noexcept {
    is_valid_ = false;
    rest_ = {};
  }

  template <class Unsigned>
  Unsigned number() noexcept {
    auto const bytes = take(sizeof(Unsigned));
    Unsigned value{};
    for (auto const byte : bytes)
      value = static_cast<Unsigned>(static_cast<Unsigned>(value << 7 << 1) | static_cast<Unsigned>(byte));
    return value;
  }
  std::uint8_t byte() noexcept { return number<std::uint8_t>(); }
  char letter() noexcept { return static_cast<char>(byte()); }

  /// Takes `count` bytes. If there are fewer, it takes none and fails.
  std::span<std::byte const> take(std::size_t count) noexcept {
    if (count > rest_.size()) {
      fail();
      return {};
    }
    auto const taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::string text(std::size_t count) {
    auto const bytes = take(count);
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
  }
  /// The text up to the next NUL, without it.
  std::string c_string() {
    auto const* const end = rest_.empty() ? nullptr : std::memchr(rest_.data(), 0, rest_.size());
    if (!end) {
      fail();
      return {};
    }
    auto found = text(static_cast<std::size_t>(static_cast<std::byte const*>(end) - rest_.data()));
    take(1);
    return found;
  }

 private:
  std::span<std::byte const> rest_;
  bool is_valid_{true};
};

}  // namespace pg
}  // namespace v0
}  // namespace shardway
