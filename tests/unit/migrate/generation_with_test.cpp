#include <gtest/gtest.h>

#include "lib/migrate/controller/next_generation.hpp"
#include "sample_generation.hpp"
#include "support/value_of.hpp"

namespace {

using namespace shardway::migrate::control;

using namespace shardway_test;

TEST(generation_with, begins_with_new_groups_under_the_source) {
  generation empty;
  empty.migration = sample_generation().migration;
  std::vector<std::string> changes;
  auto const next = value_of(
      generation_with(empty, empty.migration,
                      {sample_table("shop.orders", "sales"), sample_table("shop.stock", "stock")}, changes));
  EXPECT_EQ(next.placement, even_placement(3));
  ASSERT_EQ(next.groups.size(), 2u);
  EXPECT_EQ(next.groups[0].name, "sales");
  EXPECT_EQ(next.groups[0].stage, stage::observing);
  EXPECT_EQ(next.groups[0].authority,
            (std::vector<authority_range>{{all_slots, std::nullopt, epoch{1}, {}}}));
  EXPECT_EQ(next.tables.size(), 2u);
  EXPECT_EQ(changes.size(), 2u);
}

TEST(generation_with, changes_nothing_for_the_same_tables) {
  auto const now = sample_generation();
  std::vector<std::string> changes;
  EXPECT_EQ(value_of(generation_with(now, now.migration, now.tables, changes)), now);
  EXPECT_TRUE(changes.empty());
}

TEST(generation_with, keeps_stage_and_authority_of_a_group_that_has_begun) {
  auto now = sample_generation();
  std::vector<std::string> changes;
  auto wanted = now.tables;
  wanted.push_back(sample_table("shop.stock", "stock"));
  auto const next = value_of(generation_with(now, now.migration, wanted, changes));
  EXPECT_EQ(next.groups[0], now.groups[0]);
  EXPECT_EQ(next.placement, now.placement);
  EXPECT_EQ(next.groups.at(1).stage, stage::observing);
}

TEST(generation_with, lets_a_table_go_while_observing) {
  auto now = sample_generation();
  now.groups[0].stage = stage::observing;
  std::vector<std::string> changes;
  auto const next = value_of(generation_with(now, now.migration, {now.tables[0]}, changes));
  EXPECT_EQ(next.tables, (std::vector<table_state>{now.tables[0]}));
  EXPECT_EQ(next.groups.size(), 1u);
  auto const none = value_of(generation_with(now, now.migration, {}, changes));
  EXPECT_TRUE(none.groups.empty());
}

TEST(generation_with, refuses_to_let_a_table_go_after_copying_began) {
  auto now = sample_generation();
  now.groups[0].stage = stage::copying;
  std::vector<std::string> changes;
  auto const next = generation_with(now, now.migration, {now.tables[0]}, changes);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code(), error_code::manifest_invalid);
  EXPECT_NE(next.error().to_string().find("shop.items"), std::string::npos);
}

TEST(generation_with, refuses_another_shard_key_after_copying_began) {
  auto now = sample_generation();
  auto wanted = now.tables;
  wanted[0].manifest.shard_key = {"id"};
  std::vector<std::string> changes;
  EXPECT_EQ(generation_with(now, now.migration, wanted, changes).error().code(),
            error_code::manifest_invalid);
  now.groups[0].stage = stage::observing;
  EXPECT_EQ(value_of(generation_with(now, now.migration, wanted, changes)).tables[0].manifest.shard_key,
            std::vector<std::string>{"id"});
}

// Its rows would be routed to shards that have never been given them.
TEST(generation_with, refuses_a_new_table_in_a_group_that_is_past_copying) {
  auto const now = sample_generation();
  auto wanted = now.tables;
  wanted.push_back(sample_table("shop.payments", "sales"));
  std::vector<std::string> changes;
  auto const next = generation_with(now, now.migration, wanted, changes);
  ASSERT_FALSE(next);
  EXPECT_NE(next.error().to_string().find("shop.payments"), std::string::npos);
}

// A pin of another type than the shard keys have would place another slot than its key's.
TEST(generation_with, refuses_a_pin_of_a_type_that_no_shard_key_has) {
  generation empty;
  empty.migration = sample_generation().migration;
  auto const tables = sample_generation().tables;
  auto const pinned = [&](std::string type) {
    auto migration = empty.migration;
    migration.pins = {
        {.types = {std::move(type)}, .values = {"4711"}, .shard = migration.shards.front().name}};
    std::vector<std::string> changes;
    return generation_with(empty, migration, tables, changes);
  };
  EXPECT_TRUE(pinned("bigint"));
  EXPECT_TRUE(pinned("integer")) << "integers of every width have the same slot";
  EXPECT_EQ(pinned("text").error().code(), error_code::manifest_invalid);
}

}  // namespace
