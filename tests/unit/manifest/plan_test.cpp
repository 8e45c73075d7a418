#include "shardway/manifest/plan.hpp"

#include <gmock/gmock.h>

#include "samples.hpp"

namespace shardway {
namespace {

using shardway_test::generation_of_two_shards;
using shardway_test::orders;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

generation at_stage(stage at) {
  auto made = generation_of_two_shards();
  made.groups[0].stage = at;
  return made;
}

TEST(diff, the_same_manifests_change_nothing) {
  EXPECT_THAT(diff(generation_of_two_shards(), {orders()}), IsEmpty());
}

TEST(diff, an_option_may_change_at_any_time) {
  auto wanted = orders();
  wanted.budget = 100ms;
  auto const changes = diff(at_stage(stage::sharded), {wanted});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0], (manifest_change{change_kind::option_changed, "shop.orders", "dual_write.budget_ms",
                                         "250", "100", ""}));
}

TEST(diff, an_accepted_finding_may_come_and_go) {
  auto wanted = orders();
  wanted.accept = {{"trigger", "", "it only logs"}};
  auto const changes = diff(at_stage(stage::sharded), {wanted});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0], (manifest_change{change_kind::option_changed, "shop.orders", "accept",
                                         "\"row_security of shop.orders: policies are made by hand\"",
                                         "\"trigger: it only logs\"", ""}));
}

TEST(diff, the_shape_is_fixed_once_copying_has_begun) {
  auto wanted = orders();
  wanted.group = "other";
  wanted.kind = table_kind::reference;
  wanted.shard_key = {"id"};
  wanted.key = {"id", "line"};
  wanted.ids = id_strategy_kind::external;
  wanted.id_stride = 128;
  auto const early = diff(at_stage(stage::observing), {wanted});
  ASSERT_EQ(early.size(), 6u);
  for (auto const& change : early) EXPECT_EQ(change.kind, change_kind::option_changed) << change.field;
  auto const late = diff(at_stage(stage::copying), {wanted});
  ASSERT_EQ(late.size(), 6u);
  for (auto const& change : late) {
    EXPECT_EQ(change.kind, change_kind::forbidden) << change.field;
    EXPECT_FALSE(change.reason.empty());
  }
}

TEST(diff, saying_that_ids_are_given_once_changes_no_shape) {
  auto applied = at_stage(stage::copying);
  auto wanted = orders();
  wanted.ids = applied.tables[0].manifest.ids = id_strategy_kind::external;
  wanted.ids_given = true;
  auto const changes = diff(applied, {wanted});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(describe(changes[0]), "option_changed shop.orders ids.strategy (written): false -> true");
}

TEST(diff, tables_join_and_leave_only_while_observing) {
  auto second = orders();
  second.table = "shop.payments";
  auto const early = diff(at_stage(stage::observing), {second});
  ASSERT_EQ(early.size(), 2u);
  EXPECT_EQ(early[0].kind, change_kind::table_removed);
  EXPECT_EQ(early[1].kind, change_kind::table_added);
  auto const late = diff(at_stage(stage::dual_writing), {second});
  ASSERT_EQ(late.size(), 2u);
  EXPECT_EQ(late[0].kind, change_kind::forbidden);
  EXPECT_EQ(late[1].kind, change_kind::forbidden);
  second.group = "new_group";
  EXPECT_EQ(diff(at_stage(stage::dual_writing), {orders(), second})[0].kind, change_kind::table_added);
}

TEST(diff, a_table_does_not_move_into_a_group_that_has_begun) {
  auto made = at_stage(stage::sharded);
  made.groups.push_back({"quiet", stage::observing, made.groups[0].authority});
  auto quiet = orders();
  quiet.table = "shop.quiet";
  quiet.group = "quiet";
  made.tables.push_back({quiet, {}, false});
  quiet.group = "sales";
  auto const changes = diff(made, {orders(), quiet});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].kind, change_kind::forbidden);
  EXPECT_EQ(changes[0].after, "sales");
}

TEST(diff, stage_until_does_not_go_below_the_stage) {
  auto wanted = orders();
  wanted.stage_until = stage::replicating;
  EXPECT_EQ(diff(at_stage(stage::dual_writing), {wanted})[0].kind, change_kind::forbidden);
  EXPECT_EQ(diff(at_stage(stage::replicating), {wanted})[0].kind, change_kind::option_changed);
}

TEST(diff, one_name_with_a_comma_is_not_two) {
  auto wanted = orders();
  auto made = at_stage(stage::observing);
  made.tables[0].manifest.key = {"a", "b"};
  wanted.key = {"a\", \"b"};
  EXPECT_EQ(diff(made, {wanted}).size(), 1u);
}

}  // namespace
}  // namespace shardway
