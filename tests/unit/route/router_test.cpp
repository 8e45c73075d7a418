#include "shardway/route/router.hpp"

#include <thread>

#include <gtest/gtest.h>

namespace shardway {
namespace {

routing_data two_shards(std::uint64_t generation) {
  routing_data data;
  data.generation = generation;
  data.shard_count = 2;
  data.placed.assign({slot_id{2048}, slot_id{4095}}, shard_id{1});
  data.groups.push_back({.name = "sales", .owners = {}, .dual_written = true});
  data.groups.push_back({.name = "lists", .owners = {}, .dual_written = false});
  data.tables.push_back(
      {.table = "shop.orders", .group = 0, .reference = false, .shard_key = {key_type::integer}});
  data.tables.push_back({.table = "shop.items",
                         .group = 0,
                         .reference = false,
                         .shard_key = {key_type::integer, key_type::text}});
  data.tables.push_back({.table = "shop.countries", .group = 1, .reference = true, .shard_key = {}});
  return data;
}

std::shared_ptr<routing_snapshot const> snapshot(routing_data data) {
  return routing_snapshot::make(std::move(data)).value();
}

TEST(router, routes_a_key_to_the_source_and_names_its_shard_while_dual_writing) {
  auto const routes = snapshot(two_shards(1));
  auto const route = routes->by_key("shop.orders", 42).value();
  EXPECT_EQ(route.slot, slot_of(42));
  EXPECT_TRUE(route.node.is_source());
  EXPECT_TRUE(route.dual_written);
  EXPECT_EQ(route.placed, (slot_of(42).value() >= 2048 ? shard_id{1} : shard_id{0}));
}

TEST(router, follows_authority_slot_by_slot) {
  auto data = two_shards(1);
  auto const slot = slot_of(42);
  data.groups[0].owners.assign({slot, slot}, {node_index{shard_id{1}}, epoch{3}});
  auto const routes = snapshot(std::move(data));
  auto const route = routes->by_key("shop.orders", 42).value();
  EXPECT_EQ(route.node.shard(), shard_id{1});
  EXPECT_EQ(route.epoch, epoch{3});
  EXPECT_FALSE(route.dual_written) << "the shard is the authority: nothing is written twice";
  for (int key = 0; key < 100; ++key)
    EXPECT_EQ(routes->by_key("shop.orders", key).value().node.is_source(), slot_of(key) != slot) << key;
}

TEST(router, refuses_a_key_that_would_hash_to_a_wrong_slot) {
  auto const routes = snapshot(two_shards(1));
  EXPECT_EQ(routes->by_key("shop.orders", "42").error().code(), error_code::invalid_argument);
  EXPECT_EQ(routes->by_key("shop.items", 42).error().code(), error_code::invalid_argument);
  EXPECT_EQ(routes->by_key("shop.items", shard_key{"a", 42}).error().code(), error_code::invalid_argument);
  EXPECT_TRUE(routes->by_key("shop.items", shard_key{42, "a"}));
  EXPECT_EQ(routes->by_key("shop.items", shard_key{42, "\xFF"}).error().code(), error_code::invalid_argument);
}

// AP19: PostgreSQL cuts such a value in a cast, and the call would go to the node of another key.
TEST(router, refuses_a_key_that_is_no_value_of_its_columns_type) {
  auto data = two_shards(1);
  data.tables.push_back({.table = "shop.customers",
                         .group = 0,
                         .reference = false,
                         .shard_key = {key_type::text},
                         .columns = {"customer_id"},
                         .limits = {key_limits_of("character varying(5)")}});
  data.tables.push_back({.table = "shop.codes",
                         .group = 0,
                         .reference = false,
                         .shard_key = {key_type::integer, key_type::text, key_type::integer},
                         .columns = {"region", "code", "number"},
                         .limits = {key_limits_of("integer"), key_limits_of("character varying(2)"),
                                    key_limits_of("smallint")}});
  auto const routes = snapshot(std::move(data));
  EXPECT_TRUE(routes->by_key("shop.customers", "ALFKI"));
  EXPECT_TRUE(routes->by_key("shop.customers", "\u00e4\u00f6\u00fc\u00df\u20ac"))
      << "characters count, not bytes";
  for (auto const* longer : {"ALFKI ", "ALFKIX", "     \u00e4"}) {
    auto const refused = routes->by_key("shop.customers", longer);
    ASSERT_FALSE(refused) << longer;
    EXPECT_EQ(refused.error().code(), error_code::invalid_argument);
    EXPECT_NE(refused.error().message().find("\"customer_id\": it has more than 5 characters"),
              std::string::npos);
    EXPECT_EQ(refused.error().to_string().find("ALFKI"), std::string::npos) << "no key in a message";
  }
  EXPECT_TRUE(routes->by_key("shop.codes", shard_key{2147483647, "ab", -32768}));
  auto const column_of = [&](shard_key const& key) {
    auto const refused = routes->by_key("shop.codes", key);
    return refused ? std::string("none") : refused.error().message();
  };
  EXPECT_NE(column_of(shard_key{2147483648LL, "ab", 1}).find("column \"region\""), std::string::npos);
  EXPECT_NE(column_of(shard_key{1, "ab ", 1}).find("column \"code\""), std::string::npos);
  EXPECT_NE(column_of(shard_key{1, "ab", 32768}).find("column \"number\""), std::string::npos);
  EXPECT_EQ(routes->by_key("shop.customers", std::string("a\0b", 3)).error().code(),
            error_code::invalid_argument);
  EXPECT_TRUE(routes->by_key("shop.orders", INT64_MAX)) << "without limits every value is one";
}

TEST(router, says_what_is_missing) {
  auto const routes = snapshot(two_shards(1));
  EXPECT_EQ(routes->by_key("orders", 42).error().code(), error_code::unknown_table);
  EXPECT_EQ(routes->by_key("shop.orders", shard_key{}).error().code(), error_code::shard_key_missing);
  EXPECT_EQ(routes->by_key("shop.countries", 1).error().code(), error_code::shard_key_missing);
  auto named = two_shards(1);
  for (auto& table : named.tables) table.columns.assign(table.shard_key.size(), "customer_id");
  EXPECT_NE(
      snapshot(std::move(named))->by_key("shop.orders", shard_key{}).error().message().find("(customer_id)"),
      std::string::npos);
  EXPECT_EQ(routes->find("shop.order"), nullptr);
  EXPECT_EQ(routes->scatter("shop.none").error().code(), error_code::unknown_table);
}

TEST(router, scatter_names_every_node_with_authority_once) {
  auto data = two_shards(1);
  data.groups[0].owners.assign({slot_id{10}, slot_id{20}}, {node_index{shard_id{1}}, epoch{2}});
  data.groups[0].owners.assign({slot_id{30}, slot_id{40}}, {node_index{shard_id{1}}, epoch{3}});
  auto const routes = snapshot(std::move(data));
  auto const nodes = routes->scatter("shop.orders").value();
  EXPECT_EQ(std::vector<node_index>(nodes.begin(), nodes.end()),
            (std::vector{source_node, node_index{shard_id{1}}}));
  EXPECT_EQ(routes->scatter("shop.countries").value().size(), 1u);
}

TEST(router, data_that_contradicts_itself_is_refused) {
  auto twice = two_shards(1);
  twice.tables.push_back(twice.tables.front());
  EXPECT_EQ(routing_snapshot::make(std::move(twice)).error().code(), error_code::corrupt_data);
  auto nowhere = two_shards(1);
  nowhere.tables.front().group = 2;
  EXPECT_EQ(routing_snapshot::make(std::move(nowhere)).error().code(), error_code::corrupt_data);
}

// Names of every length; most differ in one character only. Each finds its own table and no other.
TEST(router, every_table_is_found_by_its_whole_name) {
  auto data = two_shards(1);
  data.tables.clear();
  std::vector<std::string> names;
  for (std::size_t size = 1; size <= 70; ++size)
    for (std::size_t place = 0; place < size; place += 3) {
      names.push_back(std::string(size, 'a'));
      names.back()[place] = 'b';
    }
  for (auto const& name : names)
    data.tables.push_back({.table = name, .group = 0, .reference = false, .shard_key = {key_type::integer}});
  auto const routes = snapshot(std::move(data));
  for (auto const& name : names) {
    auto const* found = routes->find(name);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->table, name);
    EXPECT_EQ(routes->find(name + "c"), nullptr);
  }
  EXPECT_EQ(routes->find(""), nullptr);
}

TEST(router, a_routing_table_keeps_its_owners_however_often_it_is_assigned_to) {
  routing_table owners;
  for (std::uint32_t turn = 0; turn < 9000; ++turn)
    owners.assign({slot_id{7}, slot_id{8}}, {node_index{shard_id{static_cast<std::uint16_t>(turn % 1000)}},
                                             epoch{static_cast<std::uint16_t>(turn / 1000)}});
  owners.assign({slot_id{8}, slot_id{9}}, {node_index{shard_id{3}}, epoch{900}});
  EXPECT_EQ(owners.owner_of(slot_id{6}), slot_owner{});
  EXPECT_EQ(owners.owner_of(slot_id{7}), (slot_owner{node_index{shard_id{999}}, epoch{8}}));
  EXPECT_EQ(owners.owner_of(slot_id{9}), (slot_owner{node_index{shard_id{3}}, epoch{900}}));
}

TEST(router, a_key_fits_where_its_types_do_and_its_check_finds_nothing) {
  std::array const integer_and_text{key_type::integer, key_type::text};
  EXPECT_TRUE(shard_key(1).fits({integer_and_text.data(), 1}));
  EXPECT_FALSE(shard_key(1).fits(integer_and_text));
  EXPECT_FALSE(shard_key("a").fits({integer_and_text.data(), 1}));
  EXPECT_FALSE(shard_key().fits({}));
  EXPECT_TRUE(shard_key({1, "0123456789 and \xC3\xA9"}).fits(integer_and_text));
  EXPECT_FALSE(shard_key({1, "0123456789\xC3"}).fits(integer_and_text));
  EXPECT_FALSE(shard_key({1, std::string_view{"01234567\0", 9}}).fits(integer_and_text));
  EXPECT_FALSE(shard_key({1, std::string(limits::shard_key_bytes_max + 1, 'a')}).fits(integer_and_text));
}

TEST(router, never_goes_back_to_an_older_generation) {
  router routes{snapshot(two_shards(5))};
  router::reader reader{routes};
  EXPECT_EQ(reader.current().generation(), 5u);
  EXPECT_FALSE(routes.publish(snapshot(two_shards(4))));
  EXPECT_EQ(reader.current().generation(), 5u);
  EXPECT_TRUE(routes.publish(snapshot(two_shards(6))));
  EXPECT_EQ(reader.current().generation(), 6u);
  EXPECT_EQ(routes.snapshot()->generation(), 6u);
}

TEST(router, readers_see_whole_snapshots_while_new_ones_are_published) {
  router routes{snapshot(two_shards(1))};
  std::atomic<bool> torn{false};
  auto const read = [&] {
    router::reader reader{routes};
    for (std::uint64_t last = 0; last < 200;) {
      auto const& now = reader.current();
      if (now.generation() < last ||
          now.data().groups[0].owners.owner_of(slot_id{7}).epoch.value() != now.generation() % 1000)
        torn = true;
      last = now.generation();
    }
  };
  auto const made = [](std::uint64_t generation) {
    auto data = two_shards(generation);
    data.groups[0].owners.assign(all_slots,
                                 {source_node, epoch{static_cast<std::uint16_t>(generation % 1000)}});
    return snapshot(std::move(data));
  };
  routes.publish(made(1));
  std::jthread first{read}, second{read};
  for (std::uint64_t generation = 2; generation <= 200; ++generation) routes.publish(made(generation));
  first.join();
  second.join();
  EXPECT_FALSE(torn);
}

}  // namespace
}  // namespace shardway
