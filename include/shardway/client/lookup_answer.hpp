// What a read by a lookup returned.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "shardway/route/shard_key.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// The most shard keys that one value of a lookup may lead to. A column with more rows for each value does
/// not suit a lookup.
inline constexpr std::size_t lookup_keys_max = 1000;

struct lookup_answer {
  /// The rows of all shard keys, one key after another, in the order of `keys`. It has no columns if nothing
  /// was asked.
  rows returned;

  /// The shard keys that were asked.
  std::vector<shard_key> keys;

  /// How many of them returned no row: their mapping has gone stale, or the statement left their rows out.
  std::size_t keys_without_rows{};

  /// Who answered, for each key.
  std::vector<std::string> nodes;
};

}  // namespace v0
}  // namespace shardway
