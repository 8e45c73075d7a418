#include "lib/manifest/rules.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "shardway/base/limits.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::string_view space = " \t\r\n\f\v";

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::span<std::byte const> bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span{text.data(), text.size()});
}

/// The value after "keyword=", taken off the text; nothing for a quote that does not end.
std::optional<std::string> take_value(std::string_view& text) {
  std::string value;
  bool const quoted = text.starts_with('\'');
  if (quoted) text.remove_prefix(1);
  while (!text.empty()) {
    char const c = text.front();
    if (quoted ? c == '\'' : space.find(c) != std::string_view::npos) break;
    text.remove_prefix(1);
    if (c != '\\') {
      value.push_back(c);
    } else if (!text.empty()) {
      value.push_back(text.front());
      text.remove_prefix(1);
    }
  }
  if (!quoted) return value;
  if (text.empty()) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

void skip_space(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
}

}  // namespace

void finder::add(std::string_view code, std::string_view field, int index, std::string message,
                 std::string hint) {
  auto const place = positions_->find(field, index);
  findings_.push_back(
      {std::string{code}, file_, place.line, place.column, std::move(message), std::move(hint)});
}

std::string item_path(std::string_view list, std::size_t item) {
  return absl::StrCat(std::string{list}, "[", item, "]");
}

std::string shown(std::string_view name) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text = "\"";
  for (auto rest = name.substr(0, 100); !rest.empty();) {
    auto const step = key_text_form::utf8_step(bytes_of(rest));
    if (step == 0 || (step == 1 && is_control(rest.front()))) {
      auto const byte = static_cast<unsigned char>(rest.front());
      text.append("\\x").append({digits[byte >> 4], digits[byte & 15]});
      rest.remove_prefix(1);
      continue;
    }
    text.append(rest.substr(0, step));
    rest.remove_prefix(step);
  }
  return text + (name.size() > 100 ? "...\"" : "\"");
}

// P1: names are compared and quoted as the catalog has them; those that PostgreSQL would cut or that no
// client can show are refused.
bool check_identifier(finder& found, std::string_view field, int index, std::string_view what,
                      std::string_view name) {
  auto const about = [&](std::string_view problem) {
    return "the " + std::string{what} + " " + shown(name) + " " + std::string{problem};
  };
  if (name.empty()) {
    found.add("M003", field, index, "the " + std::string{what} + " is empty",
              "write its name as the source's catalog has it, without quotes");
    return false;
  }
  if (name.size() > limits::identifier_bytes_max) {
    found.add("M004", field, index, about("is longer than 63 bytes"),
              "PostgreSQL cuts longer names: write the name as its catalog has it");
    return false;
  }
  bool control = false;
  for (char const c : name) control = control || is_control(c);
  if (control || !key_text_form::is_utf8(bytes_of(name))) {
    found.add("M005", field, index, about("holds a control character, or is no valid UTF-8"),
              "rename the object on the source");
    return false;
  }
  return true;
}

bool is_plain_name(std::string_view name, std::size_t bytes_max) noexcept {
  if (name.empty() || name.size() > bytes_max || name.front() < 'a' || name.front() > 'z') return false;
  for (char const c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return true;
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_conninfo(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (skip_space(text); !text.empty(); skip_space(text)) {
    auto const end = text.find_first_of("= \t\r\n\f\v'");
    if (end == 0 || end == std::string_view::npos) return std::nullopt;
    std::string keyword{text.substr(0, end)};
    text.remove_prefix(end);
    skip_space(text);
    if (!text.starts_with('=')) return std::nullopt;
    text.remove_prefix(1);
    skip_space(text);
    auto value = take_value(text);
    if (!value || keyword.find(':') != std::string::npos) return std::nullopt;
    settings.emplace_back(std::move(keyword), std::move(*value));
  }
  return settings;
}

std::optional<std::pair<std::string_view, std::string_view>> split_table(std::string_view table) noexcept {
  auto const dot = table.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == table.size() ||
      table.find('.', dot + 1) != std::string_view::npos)
    return std::nullopt;
  return std::pair{table.substr(0, dot), table.substr(dot + 1)};
}

}  // namespace v0
}  // namespace shardway
