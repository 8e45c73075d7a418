#include "lib/migrate/verify/row_compare.hpp"

#include <gtest/gtest.h>

#include "sample_generation.hpp"

namespace {

using namespace shardway::migrate::verify;

using namespace shardway_test;
using enum difference_kind;

constexpr int home_slot = 1500;  // shard 1

row_on_node source(std::string hash, int slot = home_slot, std::string version = "1") {
  return {std::nullopt, slot, std::move(hash), std::move(version)};
}
row_on_node on(unsigned node, std::string hash, int slot = home_slot, std::string version = "1") {
  return {shard(node), slot, std::move(hash), std::move(version)};
}
rows_of_key row(std::vector<row_on_node> seen) {
  return {.key = {"17"}, .digest = "d", .seen = std::move(seen)};
}

using named = std::vector<std::pair<difference_kind, std::string>>;

named found(rows_of_key const& rows_seen, generation const& now = sample_generation(),
            table_kind kind = table_kind::sharded) {
  named out;
  for (auto const& one : classify(rows_seen, now, now.groups[0], kind)) {
    EXPECT_EQ(one.key, rows_seen.key);
    EXPECT_EQ(one.key_digest, rows_seen.digest);
    out.emplace_back(one.kind, one.node);
  }
  return out;
}

// Every slot under the authority of its shard.
generation moved() {
  auto now = sample_generation();
  now.groups[0].stage = stage::sharded;
  now.groups[0].authority = {{slots(0, 999), shard(0), epoch{2}, {}},
                             {slots(1000, 2999), shard(1), epoch{2}, {}},
                             {slots(3000, 4095), shard(2), epoch{2}, {}}};
  return now;
}

TEST(agrees, asks_for_source_and_home_and_no_other) {
  auto const now = sample_generation();
  auto const ok = [&](std::vector<row_on_node> seen) {
    return agrees(row(std::move(seen)), now, table_kind::sharded);
  };
  EXPECT_TRUE(ok({}));
  EXPECT_TRUE(ok({source("a"), on(1, "a")}));
  EXPECT_TRUE(ok({source("a", home_slot, "1"), on(1, "a", home_slot, "99")}))
      << "versions of tuples are a node's own";
  EXPECT_FALSE(ok({source("a")}));
  EXPECT_FALSE(ok({on(1, "a")}));
  EXPECT_FALSE(ok({source("a"), on(1, "b")}));
  EXPECT_FALSE(ok({source("a"), on(0, "a")}));
  EXPECT_FALSE(ok({source("a"), on(0, "a"), on(1, "a")}));
}

TEST(agrees, asks_for_every_shard_of_a_reference_table) {
  auto const now = sample_generation();
  auto const ok = [&](std::vector<row_on_node> seen) {
    return agrees(row(std::move(seen)), now, table_kind::reference);
  };
  EXPECT_TRUE(ok({source("a", -1), on(0, "a", -1), on(1, "a", -1), on(2, "a", -1)}));
  EXPECT_FALSE(ok({source("a", -1), on(0, "a", -1), on(1, "a", -1)}));
  EXPECT_FALSE(ok({source("a", -1), on(0, "a", -1), on(1, "b", -1), on(2, "a", -1)}));
  EXPECT_FALSE(ok({on(0, "a", -1), on(1, "a", -1), on(2, "a", -1)}));
}

TEST(classify, under_the_source) {  // V6
  EXPECT_EQ(found(row({source("a")})), (named{{missing, "shard1"}}));
  EXPECT_EQ(found(row({on(1, "a")})), (named{{extra, "shard1"}}));
  EXPECT_EQ(found(row({source("a"), on(1, "b")})), (named{{different, "shard1"}}));
  EXPECT_EQ(found(row({source("a"), on(0, "a")})), (named{{wrong_shard, "shard0"}}));
  EXPECT_EQ(found(row({source("a"), on(1, "a"), on(2, "a")})), (named{{two_shards, "shard2"}}));
  EXPECT_EQ(found(row({source("a"), on(0, "a"), on(2, "a")})),
            (named{{two_shards, "shard0"}, {two_shards, "shard2"}}));
}

TEST(classify, under_the_shard_blames_the_source) {  // V7
  EXPECT_EQ(found(row({on(1, "a")}), moved()), (named{{missing, "source"}}));
  EXPECT_EQ(found(row({source("a")}), moved()), (named{{extra, "source"}}));
  EXPECT_EQ(found(row({source("b"), on(1, "a")}), moved()), (named{{different, "source"}}));
  EXPECT_EQ(found(row({source("a"), on(1, "a"), on(0, "a")}), moved()), (named{{two_shards, "shard0"}}));
}

TEST(classify, goes_by_the_authoritys_shard_key) {
  // The row's shard key changed on the source: slot 100 is of shard 0, and shard 1 still holds it under its
  // old key.
  EXPECT_EQ(found(row({source("new", 100), on(1, "old")})), (named{{wrong_shard, "shard1"}}));
  // The shard's copy has another shard key than the source's, but is where the source's belongs.
  EXPECT_EQ(found(row({source("a"), on(1, "b", 100)})), (named{{different, "shard1"}}));
}

// Half of shard 1's slots have moved: a row of slot 1500 is the source's, one of slot 2500 the shard's.
generation half_moved() {
  auto now = sample_generation();
  now.groups[0].stage = stage::sharded;
  now.groups[0].authority = {{slots(0, 1999), std::nullopt, epoch{1}, {}},
                             {slots(2000, 2999), shard(1), epoch{3}, {}},
                             {slots(3000, 4095), std::nullopt, epoch{1}, {}}};
  return now;
}

TEST(classify, a_key_that_two_nodes_claim_is_a_conflict_and_nothing_else) {  // AP10
  EXPECT_EQ(found(row({source("a", 1500), on(1, "b", 2500)}), half_moved()),
            (named{{conflict, "source"}, {conflict, "shard1"}}));
  EXPECT_EQ(found(row({source("a", 1500), on(1, "b", 2500), on(0, "a", 1500)}), half_moved()),
            (named{{conflict, "source"}, {conflict, "shard1"}}));
  EXPECT_EQ(found(row({source("a", 2500), on(1, "b", 2500)}), half_moved()), (named{{different, "source"}}));
  // Each holds only the other's copy: nobody claims it.
  EXPECT_EQ(found(row({source("b", 2500), on(1, "a", 1500)}), half_moved()),
            (named{{extra, "source"}, {extra, "shard1"}}));
}

TEST(classify, names_each_shard_of_a_reference_table) {
  auto const now = sample_generation();
  EXPECT_EQ(found(row({source("a", -1), on(0, "b", -1), on(1, "a", -1)}), now, table_kind::reference),
            (named{{different, "shard0"}, {missing, "shard2"}}));
  EXPECT_EQ(found(row({on(0, "a", -1), on(2, "a", -1)}), now, table_kind::reference),
            (named{{extra, "shard0"}, {extra, "shard2"}}));
}

TEST(deciding_node, has_authority_for_the_slot) {
  auto const decide = [](rows_of_key const& rows_seen, generation const& now) {
    return deciding_node(rows_seen, classify(rows_seen, now, now.groups[0], table_kind::sharded)[0], now,
                         now.groups[0], table_kind::sharded);
  };
  EXPECT_EQ(decide(row({source("a")}), sample_generation()), std::nullopt);
  EXPECT_EQ(decide(row({on(1, "a")}), sample_generation()), std::nullopt);
  EXPECT_EQ(decide(row({source("a")}), moved()), shard(1));
  EXPECT_EQ(decide(row({source("b"), on(1, "a")}), moved()), shard(1));
}

TEST(judge, needs_two_equal_looks_to_say_different) {  // V1
  auto const now = sample_generation();
  auto const said = [&](std::vector<rows_of_key> const& looks) {
    return judge(looks, now, table_kind::sharded);
  };
  auto const wrong = row({source("a"), on(1, "b")});
  EXPECT_EQ(said({wrong}), verdict::could_not_tell);
  EXPECT_EQ(said({wrong, wrong}), verdict::different);
  EXPECT_EQ(said({wrong, row({on(1, "b"), source("a")})}), verdict::different)
      << "the order of nodes does not matter";
  EXPECT_EQ(said({wrong, row({source("c"), on(1, "a")})}), verdict::could_not_tell);
  EXPECT_EQ(said({wrong, row({source("a"), on(1, "a")})}), verdict::equal);
  EXPECT_EQ(said({wrong, wrong, row({})}), verdict::equal) << "gone from everywhere";
  EXPECT_EQ(said({row({source("x")}), wrong, wrong}), verdict::different);
}

TEST(judge, does_not_take_a_row_that_went_and_came_back_for_the_same) {
  auto const now = sample_generation();
  auto const first = row({source("a", home_slot, "10"), on(1, "b")});
  auto const again = row({source("a", home_slot, "12"), on(1, "b")});
  EXPECT_EQ(judge({first, again}, now, table_kind::sharded), verdict::could_not_tell);
  EXPECT_EQ(judge({first, again, again}, now, table_kind::sharded), verdict::different);
}

TEST(difference_kind, has_names) {
  EXPECT_EQ(name(missing), "missing");
  EXPECT_EQ(name(extra), "extra");
  EXPECT_EQ(name(different), "different");
  EXPECT_EQ(name(wrong_shard), "wrong_shard");
  EXPECT_EQ(name(two_shards), "two_shards");
}

}  // namespace
