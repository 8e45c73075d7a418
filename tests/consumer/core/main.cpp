// Routing alone: no server, and none of PostgreSQL's, protobuf's or spdlog's headers.
#include <cstdio>

#include "shardway/route/router.hpp"
#include "shardway/route/shard_key.hpp"

int main() {
  shardway::routing_data data{.generation = 1, .shard_count = 4};
  data.groups.push_back({.name = "sales"});
  data.tables.push_back({.table = "shop.orders", .shard_key = {shardway::key_type::integer}});
  auto const made = shardway::routing_snapshot::make(std::move(data));
  if (!made) return 1;
  auto const way = made.value()->by_key("shop.orders", 42);
  if (!way || !way.value().node.is_source()) return 1;
  std::printf("slot %u\n", unsigned{way.value().slot.value()});
  return 0;
}
