// What a read by a lookup returned.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "shardway/route/shard_key.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// Shard keys that one value of a lookup may lead to; a column with more rows a value is no lookup.
inline constexpr std::size_t lookup_keys_max = 1000;

struct lookup_answer {
  rows returned;  ///< of all shard keys, one key after another, in the keys' order; without columns where
                  ///< nothing was asked
  std::vector<shard_key> keys;  ///< the shard keys that were asked
  std::size_t
      keys_without_rows{};  ///< of them: mappings that have gone stale, or rows that the statement left out
  std::vector<std::string> nodes;  ///< who answered, for each key
};

}  // namespace v0
}  // namespace shardway
