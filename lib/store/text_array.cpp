#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace {

void append_quoted(std::string& array, std::string_view value) {
  if (array.size() > 1) array += ',';
  array += '"';
  for (char const c : value) {
    if (c == '"' || c == '\\') array += '\\';
    array += c;
  }
  array += '"';
}

}  // namespace

std::string text_array(std::span<std::string const> values) {
  std::string array = "{";
  for (auto const& value : values) append_quoted(array, value);
  return array += '}';
}

std::string text_array(std::span<text_value const> values) {
  std::string array = "{";
  for (auto const& value : values) {
    if (value)
      append_quoted(array, *value);
    else
      array += array.size() > 1 ? ",NULL" : "NULL";
  }
  return array += '}';
}

std::optional<std::vector<std::string>> parse_text_array(std::string_view text) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::vector<std::string> values;
  if (text.empty()) return values;
  for (std::size_t i = 0;; ++i) {
    std::string value;
    bool const is_quoted = i < text.size() && text[i] == '"';
    if (is_quoted) ++i;
    for (; i < text.size() && (is_quoted ? text[i] != '"' : text[i] != ','); ++i) {
      if (!is_quoted && (text[i] == '{' || text[i] == '"')) return std::nullopt;
      if (text[i] == '\\') ++i;
      if (i == text.size()) return std::nullopt;
      value += text[i];
    }
    if (is_quoted && i >= text.size()) return std::nullopt;
    if (is_quoted) ++i;
    if (!is_quoted && value == "NULL") return std::nullopt;
    values.push_back(std::move(value));
    if (i >= text.size()) return values;
    if (text[i] != ',') return std::nullopt;
  }
}

}  // namespace v0
}  // namespace shardway
