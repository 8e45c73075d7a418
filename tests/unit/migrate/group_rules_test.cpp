// When a guard may be raised and taken back, and where a group begins again.
#include "lib/migrate/controller/group_rules.hpp"

#include <gtest/gtest.h>

namespace shardway {
namespace {

using namespace migrate::control;

group_state group_at(stage reached) {
  return {.name = "sales",
          .stage = reached,
          .authority = {{.slots = all_slots, .shard = std::nullopt, .epoch = epoch{1}}}};
}

std::vector<table_state> tables_of(table_kind kind) {
  table_state table;
  table.manifest.kind = kind;
  return {table};
}

TEST(guard_rules, a_sharded_group_is_guarded_from_dual_writing_on) {
  for (auto const early : {stage::observing, stage::copying, stage::replicating}) {
    auto const refused = check_may_guard(group_at(early), tables_of(table_kind::sharded));
    ASSERT_FALSE(refused) << name(early);
    EXPECT_EQ(refused.error().code(), error_code::precondition_failed);
    EXPECT_NE(refused.error().hint().find("--to dual_writing"), std::string::npos);
  }
  EXPECT_TRUE(check_may_guard(group_at(stage::dual_writing), tables_of(table_kind::sharded)));
  EXPECT_TRUE(check_may_guard(group_at(stage::sharded), tables_of(table_kind::sharded)));
}

TEST(guard_rules, a_reference_group_is_guarded_at_its_last_stage) {
  EXPECT_FALSE(check_may_guard(group_at(stage::copying), tables_of(table_kind::reference)));
  EXPECT_TRUE(check_may_guard(group_at(stage::replicating), tables_of(table_kind::reference)));
}

TEST(guard_rules, a_guard_stays_while_a_shard_has_authority) {
  auto moved = group_at(stage::sharded);
  EXPECT_TRUE(check_may_unguard(moved));
  moved.authority = {{.slots = {slot_id{0}, slot_id{9}}, .shard = shard_id{1}, .epoch = epoch{2}},
                     {.slots = {slot_id{10}, slot_id{4095}}, .shard = std::nullopt, .epoch = epoch{1}}};
  ASSERT_FALSE(check_may_unguard(moved));
  EXPECT_NE(check_may_unguard(moved).error().hint().find("rollback"), std::string::npos);
  moved.stage = stage::finalized;
  EXPECT_EQ(check_may_unguard(moved).error().hint().find("rollback"), std::string::npos);
}

TEST(group_epochs, a_group_that_was_withdrawn_begins_at_its_highest_one) {
  auto group = group_at(stage::observing);
  EXPECT_EQ(first_epoch_of(group), epoch{1});
  group.authority = {{.slots = {slot_id{0}, slot_id{9}}, .shard = std::nullopt, .epoch = epoch{3}},
                     {.slots = {slot_id{10}, slot_id{4095}}, .shard = std::nullopt, .epoch = epoch{1}}};
  EXPECT_EQ(first_epoch_of(group), epoch{3});
}

}  // namespace
}  // namespace shardway
