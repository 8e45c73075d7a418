// Names for prepared statements, so that a text that comes again is prepared once per connection.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace shardway {
inline namespace v0 {

/// A name that stands for this text and no other, or "" (parse each time) once 512 texts have names: a program that pastes values into its
/// SQL would otherwise fill each server process with plans that never come again.
/// Thread safety: safe. Cost: a hash of the text and a mutex.
inline std::string statement_name(std::string_view sql) {
  constexpr std::size_t names_max = 512;
  static std::mutex mutex;
  static std::unordered_map<std::string, std::uint32_t> named;
  std::lock_guard const lock{mutex};
  auto const found = named.find(std::string(sql));
  if (found != named.end()) return "shardway_s" + std::to_string(found->second);
  if (named.size() >= names_max) return {};
  auto const number = static_cast<std::uint32_t>(named.size());
  named.emplace(sql, number);
  return "shardway_s" + std::to_string(number);
}

}  // namespace v0
}  // namespace shardway
