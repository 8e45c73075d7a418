// Writing small JSON documents. Nothing here reads JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {
namespace migrate::nodes {

/// A JSON string, escaped.
inline std::string json_string(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// A JSON object, written member by member.
class json_object {
 public:
  json_object& text(std::string_view name, std::string_view value) { return raw(name, json_string(value)); }
  json_object& number(std::string_view name, std::int64_t value) { return raw(name, std::to_string(value)); }
  json_object& real(std::string_view name, double value) { return raw(name, std::to_string(value)); }
  json_object& boolean(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  json_object& raw(std::string_view name, std::string_view json) {
    body_ += (body_.empty() ? "" : ", ") + json_string(name) + ": " + std::string(json);
    return *this;
  }
  std::string str() const { return "{" + body_ + "}"; }

 private:
  std::string body_;
};

/// A JSON array of what `write` gives for each element.
template <class Range, class Write>
std::string json_array(Range const& range, Write const& write) {
  std::string body;
  for (auto const& element : range) body += (body.empty() ? "" : ", ") + std::string(write(element));
  return "[" + body + "]";
}

}  // namespace migrate::nodes
}  // namespace v0
}  // namespace shardway
