// Hand-made wire bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace shardway {

class bytes_builder {
 public:
  bytes_builder& letter(char c) { return raw(std::string_view{&c, 1}); }
  bytes_builder& raw(std::string_view text) {
    text_.append(text);
    return *this;
  }
  bytes_builder& number(std::uint64_t value, int size) {
    for (int shift = (size - 1) * 8; shift >= 0; shift -= 8)
      text_.push_back(static_cast<char>(value >> shift & 0xFF));
    return *this;
  }
  bytes_builder& n1(std::uint64_t v) { return number(v, 1); }
  bytes_builder& n2(std::uint64_t v) { return number(v, 2); }
  bytes_builder& n4(std::uint64_t v) { return number(v, 4); }
  bytes_builder& n8(std::uint64_t v) { return number(v, 8); }
  bytes_builder& c_string(std::string_view text) { return raw(text).n1(0); }
  bytes_builder& sized(std::string_view text) { return n4(text.size()).raw(text); }
  std::span<std::byte const> view() const { return std::as_bytes(std::span{text_}); }
  std::string const& text() const { return text_; }

 private:
  std::string text_;
};

inline std::string text_of(std::span<std::byte const> bytes) {
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

}  // namespace shardway
