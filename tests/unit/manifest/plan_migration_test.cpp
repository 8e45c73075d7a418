#include <gmock/gmock.h>

#include "samples.hpp"
#include "shardway/manifest/plan.hpp"

namespace shardway {
namespace {

using shardway_test::generation_of_two_shards;
using shardway_test::migration;
using shardway_test::orders;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

generation at_stage(stage at) {
  auto made = generation_of_two_shards();
  made.groups[0].stage = at;
  return made;
}

manifest_change only_change(std::vector<manifest_change> const& changes) {
  EXPECT_EQ(changes.size(), 1u);
  return changes.empty() ? manifest_change{} : changes[0];
}

TEST(diff_migration, the_same_manifest_changes_nothing) {
  EXPECT_THAT(diff(generation_of_two_shards(), migration()), IsEmpty());
  auto named = migration();
  named.catalog = "source";
  EXPECT_THAT(diff(generation_of_two_shards(), named), IsEmpty()) << "left out, the source holds the catalog";
}

TEST(diff_migration, the_first_one_is_no_change) { EXPECT_THAT(diff(generation{}, migration()), IsEmpty()); }

TEST(diff_migration, conninfos_and_replicas_change_at_any_time) {
  auto wanted = migration();
  wanted.shards[1].conninfo = "host=elsewhere dbname=shop";
  wanted.source.replicas.clear();
  auto const changes = diff(at_stage(stage::sharded), wanted);
  ASSERT_EQ(changes.size(), 2u);
  for (auto const& change : changes) EXPECT_EQ(change.kind, change_kind::option_changed) << describe(change);
}

TEST(diff_migration, all_else_is_fixed_once_a_group_copies) {
  std::vector<std::pair<std::string, void (*)(migration_manifest&)>> const spoilers{
      {"name", [](auto& m) { m.name = "other"; }},
      {"source.name",
       [](auto& m) {
         m.source.name = "main";
         m.catalog = "source";
       }},
      {"shard[0].name", [](auto& m) { m.shards[0].name = "first"; }},
      {"shard[1].pinned_only", [](auto& m) { m.shards[1].pinned_only = true; }},
      {"shard", [](auto& m) { m.shards.pop_back(); }},
      {"shard", [](auto& m) { m.shards.push_back({"shard2", "host=s2 dbname=shop", {}}); }},
      {"application_role", [](auto& m) { m.application_role = "x"; }},
      {"other_application_role", [](auto& m) { m.other_application_roles = {"x"}; }},
      {"engine_role", [](auto& m) { m.engine_role = "x"; }},
      {"mirror_role", [](auto& m) { m.mirror_role = "x"; }},
      {"pin", [](auto& m) { m.pins.push_back({{"bigint"}, {"4711"}, "shard1"}); }},
      {"catalog", [](auto& m) { m.catalog = "shard0"; }},
  };
  for (auto const& [field, spoil] : spoilers) {
    auto wanted = migration();
    spoil(wanted);
    EXPECT_EQ(only_change(diff(at_stage(stage::observing), wanted)).kind, change_kind::option_changed)
        << field;
    auto const late = only_change(diff(at_stage(stage::copying), wanted));
    EXPECT_EQ(late.field, field);
    EXPECT_EQ(late.kind, change_kind::forbidden) << field;
    EXPECT_FALSE(late.reason.empty()) << field;
  }
}

TEST(diff_migration, does_not_tell_the_value_of_a_pin) {
  auto wanted = migration();
  wanted.pins.push_back({{"bigint"}, {"471147"}, "shard1"});
  EXPECT_THAT(describe(only_change(diff(generation_of_two_shards(), wanted))), Not(HasSubstr("471147")));
}

TEST(diff, capture_is_fixed_from_dual_writing) {
  auto wanted = orders();
  wanted.capture = capture_kind::trigger;
  for (auto const at : {stage::observing, stage::copying, stage::replicating})
    EXPECT_EQ(only_change(diff(at_stage(at), {wanted})).kind, change_kind::option_changed) << name(at);
  for (auto const at : {stage::dual_writing, stage::sharded})
    EXPECT_EQ(only_change(diff(at_stage(at), {wanted})).kind, change_kind::forbidden) << name(at);
}

TEST(diff, a_lookup_may_come_until_slots_move_and_leave_at_any_time) {
  auto wanted = orders();
  wanted.lookups = {{"by_email", {"email"}, false}};
  EXPECT_EQ(only_change(diff(at_stage(stage::dual_writing), {wanted})).kind, change_kind::option_changed);
  EXPECT_EQ(only_change(diff(at_stage(stage::sharded), {wanted})).kind, change_kind::forbidden);
  auto with = at_stage(stage::sharded);
  with.tables[0].manifest.lookups = wanted.lookups;
  EXPECT_THAT(diff(with, {wanted}), IsEmpty());
  wanted.lookups[0].unique = true;
  EXPECT_EQ(only_change(diff(with, {wanted})).kind, change_kind::forbidden);
  auto const gone = only_change(diff(with, {orders()}));
  EXPECT_EQ(gone, (manifest_change{change_kind::option_changed, "shop.orders", "lookup.by_email", "\"email\"",
                                   "", ""}));
}

TEST(diff, reads_blocks_and_classified_columns_change_at_any_time) {
  auto wanted = orders();
  wanted.reads = {true, 8, std::chrono::milliseconds{5}, 7, 9};
  wanted.classified_columns = {"email"};
  wanted.id_block = 7;
  auto const changes = diff(at_stage(stage::sharded), {wanted});
  ASSERT_EQ(changes.size(), 7u);
  for (auto const& change : changes) EXPECT_EQ(change.kind, change_kind::option_changed) << describe(change);
}

TEST(diff, each_id_strategy_has_its_name) {
  auto wanted = orders();
  wanted.ids = id_strategy_kind::leased;
  EXPECT_EQ(describe(only_change(diff(at_stage(stage::observing), {wanted}))),
            "option_changed shop.orders ids.strategy: INTERLEAVED -> LEASED");
  EXPECT_EQ(only_change(diff(at_stage(stage::copying), {wanted})).kind, change_kind::forbidden);
}

}  // namespace
}  // namespace shardway
