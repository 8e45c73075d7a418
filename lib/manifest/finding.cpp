#include "shardway/manifest/finding.hpp"

#include <algorithm>

namespace shardway {
inline namespace v0 {

std::string manifest_finding::to_string() const {
  std::string text;
  if (!file.empty()) text.append(file).append(":");
  if (line > 0) text.append(std::to_string(line)).append(":").append(std::to_string(column)).append(":");
  if (!text.empty()) text.append(" ");
  text.append(code).append(": ").append(message);
  if (!hint.empty()) text.append("; ").append(hint);
  return text;
}

void field_positions::add(std::string field, int index, place position) {
  entries_.push_back({std::move(field), index, position});
}

field_positions::place field_positions::find(std::string_view field, int index) const noexcept {
  if (entries_.empty()) return {};
  for (;;) {
    auto const named = [&](entry const& one) { return one.field == field; };
    auto const exact = [&](entry const& one) { return named(one) && one.index == index; };
    if (auto const found = std::ranges::find_if(entries_, exact); found != entries_.end())
      return found->position;
    if (auto const found = std::ranges::find_if(entries_, named); found != entries_.end())
      return found->position;
    auto const dot = field.rfind('.');
    if (dot == std::string_view::npos) return {1, 1};
    field = field.substr(0, dot);
  }
}

error error_of(std::span<manifest_finding const> findings) {
  std::string message = std::to_string(findings.size()) + (findings.size() == 1 ? " finding" : " findings") +
                        " in the manifests";
  for (auto const& finding : findings) message.append("\n  ").append(finding.to_string());
  return error{error_code::manifest_invalid, std::move(message), "docs/MANIFEST.md explains each code"};
}

}  // namespace v0
}  // namespace shardway
