// Every combination of stage, kind, authority and mode has one plan.
#include "lib/write/write_plan.hpp"

#include <gtest/gtest.h>

namespace {

using namespace shardway;
using namespace std::chrono_literals;

constexpr shard_id placed{3};
constexpr stage stages[]{stage::observing,    stage::copying, stage::replicating,
                         stage::dual_writing, stage::sharded, stage::finalized};

write_plan plan(stage group_stage, table_kind kind, node_index authority, dual_write_mode mode) {
  return plan_write(group_stage, kind, authority, placed, mode, 250ms);
}

TEST(write_plan, observing_leaves_everything_alone) {
  for (auto const kind : {table_kind::sharded, table_kind::reference})
    for (auto const node : {source_node, node_index{placed}})
      for (auto const mode : {dual_write_mode::sync, dual_write_mode::async})
        EXPECT_EQ(plan(stage::observing, kind, node, mode), write_plan{});
}

TEST(write_plan, a_reference_table_is_fenced_and_never_captured) {
  for (auto const group_stage : stages) {
    if (group_stage == stage::observing) continue;
    for (auto const mode : {dual_write_mode::sync, dual_write_mode::async})
      EXPECT_EQ(plan(group_stage, table_kind::reference, source_node, mode), (write_plan{.fenced = true}));
  }
}

TEST(write_plan, a_shards_authority_is_fenced_and_checked_and_writes_nowhere_else) {
  for (auto const group_stage : stages) {
    if (group_stage == stage::observing) continue;
    for (auto const mode : {dual_write_mode::sync, dual_write_mode::async})
      EXPECT_EQ(plan(group_stage, table_kind::sharded, node_index{placed}, mode),
                (write_plan{.fenced = true, .capture = capture_level::strict}))
          << name(group_stage);
  }
}

TEST(write_plan, the_sources_authority_grows_from_check_to_outbox) {
  for (auto const group_stage : {stage::copying, stage::replicating})
    for (auto const mode : {dual_write_mode::sync, dual_write_mode::async})
      EXPECT_EQ(plan(group_stage, table_kind::sharded, source_node, mode),
                (write_plan{.fenced = true, .capture = capture_level::check}));
  for (auto const group_stage : {stage::dual_writing, stage::sharded}) {
    EXPECT_EQ(plan(group_stage, table_kind::sharded, source_node, dual_write_mode::sync),
              (write_plan{
                  .fenced = true, .capture = capture_level::outbox, .dual_write = placed, .budget = 250ms}));
    EXPECT_EQ(
        plan(group_stage, table_kind::sharded, source_node, dual_write_mode::async),
        (write_plan{.fenced = true, .capture = capture_level::outbox, .dual_write = placed, .budget = 0ms}));
  }
}

}  // namespace
