// Where does a customer's row live? Routing is a pure function of the key and of one immutable snapshot: no
// server, no network.
//
//   1_route [customer_id...]
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "shardway/manifest/generation.hpp"
#include "shardway/manifest/routes.hpp"

namespace {

// What an operator's manifests say, reduced to what routing needs: one table on two shards, the first 1 % of
// the slots moved already.
shardway::generation sample() {
  using namespace shardway;
  generation made;
  made.number = 7;
  made.migration.name = "shop";
  made.migration.source.name = "source";
  made.migration.shards = {{"shard0", "", {}}, {"shard1", "", {}}};
  made.placement = even_placement(2);
  slot_range const moved{slot_id{0}, slot_id{40}}, rest{slot_id{41}, slot_id{4095}};
  made.groups = {
      {"orders", stage::sharded, {{moved, shard_id{0}, epoch{2}, {}}, {rest, std::nullopt, epoch{1}, {}}}}};
  table_state orders;
  orders.manifest.table = "shop.orders";
  orders.manifest.group = "orders";
  orders.manifest.shard_key = {"customer_id"};
  orders.manifest.key = {"order_id"};
  orders.columns = {{"order_id", "bigint", false, true}, {"customer_id", "bigint", false, true}};
  made.tables = {orders};
  return made;
}

}  // namespace

int main(int count, char** arguments) {
  auto const routes = shardway::routes_of(sample());
  if (!routes) return std::fprintf(stderr, "%s\n", routes.error().to_string().c_str()), 1;
  auto const show = [&](long long customer) {
    auto const way = routes.value()->by_key("shop.orders", customer);
    if (!way) return std::fprintf(stderr, "%s\n", way.error().to_string().c_str()), false;
    auto const shard = way.value().node.shard();
    std::printf("customer %lld: slot %u, epoch %u, authority %s%s\n", customer,
                unsigned{way.value().slot.value()}, unsigned{way.value().epoch.value()},
                shard ? ("shard" + std::to_string(shard->value())).c_str() : "source",
                way.value().dual_written ? ", dual written" : "");
    return true;
  };
  bool good = true;
  for (int i = 1; i < count; ++i) good = show(std::atoll(arguments[i])) && good;
  for (long long customer = 1; count == 1 && customer <= 5; ++customer) good = show(customer) && good;
  return good ? 0 : 1;
}
