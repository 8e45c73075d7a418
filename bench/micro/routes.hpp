// Snapshots and keys for the benchmarks of routing.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "shardway/manifest/generation.hpp"
#include "shardway/manifest/routes.hpp"
#include "shardway/route/router.hpp"

namespace shardway_bench {

using namespace shardway;

inline constexpr std::size_t key_count = 1024;

inline std::string table_name(std::size_t index) { return "shop.table_" + std::to_string(10000 + index); }

/// Each table in a group of its own, with a bigint, uuid, text or (bigint, text) key in turn; moved up to a
/// slot of its own, so that no two groups' authority is equal.
inline generation generation_of(std::uint16_t shards, std::size_t tables, std::uint64_t number = 1) {
  static constexpr char const* types[] = {"bigint", "uuid", "text"};
  generation made;
  made.number = number;
  made.migration.name = "bench";
  made.migration.shards.resize(shards);
  made.placement = even_placement(shards);
  for (std::size_t i = 0; i < tables; ++i) {
    group_state group{.name = "group_" + std::to_string(i), .stage = stage::sharded, .authority = {}};
    slot_id const moved{static_cast<std::uint16_t>(i * 3 % 4000 + 48)};
    for (auto const& range : made.placement) {
      if (range.slots.first > moved) break;
      group.authority.push_back({{range.slots.first, std::min(range.slots.last, moved)},
                                 range.shard,
                                 epoch{static_cast<std::uint16_t>(2 + i % 7)},
                                 {}});
    }
    group.authority.push_back({{slot_id{static_cast<std::uint16_t>(moved.value() + 1)}, all_slots.last},
                               std::nullopt,
                               epoch{1},
                               {}});
    made.groups.push_back(group);
    table_state table;
    table.manifest.table = table_name(i);
    table.manifest.group = group.name;
    table.manifest.shard_key = {"a"};
    table.columns = {{.name = "a", .type = types[i % 4 % 3]}, {.name = "b", .type = "text"}};
    if (i % 4 == 3) table.manifest.shard_key = {"a", "b"};
    made.tables.push_back(std::move(table));
  }
  return made;
}

inline std::shared_ptr<routing_snapshot const> snapshot_of(std::uint16_t shards, std::size_t tables,
                                                           std::uint64_t number = 1) {
  auto made = routes_of(generation_of(shards, tables, number));
  if (!made) std::abort();
  return std::move(made).value();
}

struct key_values {
  std::vector<std::int64_t> integers;
  std::vector<uuid_bytes> uuids;
  std::vector<std::string> texts;  ///< of 16 bytes
};

inline key_values some_keys() {
  std::mt19937_64 random{7};
  key_values made;
  for (std::size_t i = 0; i < key_count; ++i) {
    made.integers.push_back(static_cast<std::int64_t>(random() >> 1));
    uuid_bytes one;
    for (auto& byte : one) byte = static_cast<std::uint8_t>(random());
    made.uuids.push_back(one);
    std::string text;
    while (text.size() < 16) text.push_back(static_cast<char>('a' + random() % 26));
    made.texts.push_back(text);
  }
  return made;
}

}  // namespace shardway_bench
