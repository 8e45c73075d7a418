// Names for prepared statements, so that a text that is used again is prepared only once per connection.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace shardway {
inline namespace v0 {

/// Hash for maps of strings that are searched with a string_view.
struct hash_of_text {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

/// A name that stands for this text and no other. Once 512 texts have names, it returns "" for new texts: the
/// server then parses them each time. Otherwise a program that writes values into its SQL would fill each
/// server process with plans that are never used again.
///
/// Thread safety: safe. Cost: a hash of the text and a mutex.
inline std::string statement_name(std::string_view sql) {
  constexpr std::size_t names_max = 512;
  static std::mutex mutex;
  static std::unordered_map<std::string, std::string, hash_of_text, std::equal_to<>> named;
  std::lock_guard const lock{mutex};
  auto const found = named.find(sql);
  if (found != named.end()) return found->second;
  if (named.size() >= names_max) return {};
  return named.emplace(sql, "shardway_s" + std::to_string(named.size())).first->second;
}

}  // namespace v0
}  // namespace shardway
