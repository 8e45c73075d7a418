#include "shardway/read/session_token.hpp"

#include <charconv>

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::size_t text_max = std::size_t{64} * 1024;
constexpr std::size_t nodes_max = 1100;
constexpr std::size_t name_max = 63;

std::string hex(std::uint64_t value) {
  char text[17];
  auto const end = std::to_chars(text, text + sizeof text, value, 16).ptr;
  return {text, end};
}

bool read_hex(std::string_view text, std::uint64_t& value) {
  auto const [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return !text.empty() && code == std::errc{} && end == text.data() + text.size();
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > name_max) return false;
  for (char const c : text)
    if (c <= ' ' || c == ';' || c == '=' || c == 0x7f) return false;
  return true;
}

std::string_view cut(std::string_view& rest, char separator) {
  auto const separator_position = rest.find(separator);
  auto const piece = rest.substr(0, separator_position);
  rest =
      separator_position == std::string_view::npos ? std::string_view{} : rest.substr(separator_position + 1);
  return piece;
}

std::optional<std::pair<std::string, token_position>> parse_node(std::string_view text) {
  auto const name = cut(text, '=');
  std::uint64_t system{}, incarnation{}, position{};
  auto const a = cut(text, '.');
  auto const b = cut(text, '.');
  if (!is_name(name) || !read_hex(a, system) || !read_hex(b, incarnation) || !read_hex(text, position))
    return std::nullopt;
  if (incarnation > 0x7fffffffU) return std::nullopt;
  return std::pair{std::string(name),
                   token_position{system, static_cast<std::int32_t>(incarnation), lsn{position}}};
}

}  // namespace

namespace {

bool is_later(token_position const& seen, token_position const& held) {
  bool const replaces =
      held.system_identifier != seen.system_identifier || held.incarnation < seen.incarnation;
  return replaces || (held.incarnation == seen.incarnation && held.position < seen.position);
}

}  // namespace

void session_token::saw(std::string_view node, token_position const& seen) {
  auto const found = nodes_.find(node);
  if (found == nodes_.end()) {
    nodes_.emplace(std::string(node), seen);
    return;
  }
  auto& held = found->second;
  bool const learnt = held.incarnation == seen.incarnation && held.position == unknown_position;
  if (learnt || is_later(seen, held)) held = seen;
}

void session_token::merge(session_token const& other) {
  saw_generation(other.generation_);
  for (auto const& [node, seen] : other.nodes_) {
    if (nodes_.size() >= nodes_max && !nodes_.contains(node)) continue;
    auto const [held, is_new] = nodes_.emplace(node, seen);
    if (!is_new && held->second.system_identifier == seen.system_identifier && is_later(seen, held->second))
      held->second = seen;
  }
}

void session_token::keep(std::function<bool(std::string_view)> const& wanted) {
  std::erase_if(nodes_, [&](auto const& one) { return !wanted(one.first); });
}

std::optional<token_position> session_token::at(std::string_view node) const {
  auto const found = nodes_.find(node);
  if (found == nodes_.end()) return std::nullopt;
  return found->second;
}

std::string session_token::to_string() const {
  std::string text = "1:" + hex(generation_);
  for (auto const& [node, position] : nodes_)
    text += ";" + node + "=" + hex(position.system_identifier) + "." +
            hex(static_cast<std::uint32_t>(position.incarnation)) + "." + hex(position.position.value());
  return text;
}

std::optional<session_token> session_token::parse(std::string_view text) {
  if (text.size() > text_max || !text.starts_with("1:") || text.ends_with(';')) return std::nullopt;
  text.remove_prefix(2);
  session_token token;
  if (!read_hex(cut(text, ';'), token.generation_)) return std::nullopt;
  while (!text.empty()) {
    auto const node = parse_node(cut(text, ';'));
    if (!node || token.nodes_.size() >= nodes_max || !token.nodes_.insert(*node).second) return std::nullopt;
  }
  return token;
}

}  // namespace v0
}  // namespace shardway
