#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "lib/migrate/wave/plan.hpp"
#include "sample_generation.hpp"
#include "support/value_of.hpp"

namespace {

using namespace shardway::migrate::wave;

using namespace shardway_test;

/// The source open and every shard closed, all at one epoch.
group_fences fences_at(unsigned at) {
  epoch const e{static_cast<std::uint16_t>(at)};
  return {.source = {{.slots = all_slots, .epoch = e, .open = true}},
          .shards = {{{.slots = all_slots, .epoch = e}},
                     {{.slots = all_slots, .epoch = e}},
                     {{.slots = all_slots, .epoch = e}}}};
}

std::uint32_t count_of(wave_plan const& plan) {
  std::uint32_t count = 0;
  for (auto const& range : plan.ranges) count += range.slots.count();
  return count;
}

// What a completed plan makes of the generation.
generation after(generation now, wave_plan const& plan) {
  std::vector<authority_range> cut;
  for (unsigned i = 0; i < limits::slot_count; ++i) {
    auto one = generation::authority_of(now.groups[0], slot_id{static_cast<std::uint16_t>(i)});
    one.slots = slots(i, i);
    for (auto const& range : plan.ranges)
      if (range.slots.contains(one.slots.first))
        one.shard = plan.direction == wave_direction::forward ? std::optional(range.shard) : std::nullopt;
    cut.push_back(one);
  }
  now.groups[0].authority = std::move(cut);
  return now;
}

TEST(plan_forward, takes_the_first_percent_of_each_shard) {
  auto const plan = value_of(plan_forward(sample_generation(), "sales", 10, fences_at(4), "w1"));
  std::vector<shard_slots> const expected{
      {shard(0), slots(0, 99)}, {shard(1), slots(1000, 1199)}, {shard(2), slots(3000, 3109)}};
  EXPECT_EQ(plan.ranges, expected);
  EXPECT_EQ(plan.before, epoch{4});
  EXPECT_EQ(plan.after, epoch{5});
  EXPECT_EQ(plan.wave, "w1");
  EXPECT_EQ(plan.direction, wave_direction::forward);
}

TEST(plan_forward, is_cumulative) {
  auto now = sample_generation();
  std::uint32_t moved = 0;
  for (double percent : {0.1, 1.0, 10.0, 100.0}) {
    auto const plan = value_of(plan_forward(now, "sales", percent, fences_at(1), "w"));
    moved += count_of(plan);
    std::uint32_t expected = 0;
    for (auto const& placed : now.placement)
      expected += static_cast<std::uint32_t>(std::ceil(placed.slots.count() * percent / 100));
    EXPECT_EQ(moved, expected) << percent;
    now = after(now, plan);
  }
  EXPECT_EQ(moved, limits::slot_count);
  EXPECT_EQ(plan_forward(now, "sales", 100, fences_at(1), "w").error().code(),
            error_code::precondition_failed);
}

TEST(plan_forward, moves_nothing_when_the_percent_has_moved) {
  auto const now = sample_generation();
  auto const moved = after(now, value_of(plan_forward(now, "sales", 10, fences_at(1), "w")));
  EXPECT_EQ(plan_forward(moved, "sales", 10, fences_at(1), "w").error().code(),
            error_code::precondition_failed);
  EXPECT_EQ(plan_forward(moved, "sales", 1, fences_at(1), "w").error().code(),
            error_code::precondition_failed);
}

TEST(plan_forward, counts_a_shards_slots_as_a_whole) {
  auto now = sample_generation();
  now.placement.clear();
  // Every other slot on shard 0: a percent of each range would be all of them.
  for (unsigned i = 0; i < limits::slot_count; ++i) now.placement.push_back({slots(i, i), shard(i % 2)});
  auto const plan = value_of(plan_forward(now, "sales", 1, fences_at(1), "w"));
  EXPECT_EQ(count_of(plan), 2 * 21u);
  for (auto const& range : plan.ranges) EXPECT_EQ(range.shard, now.shard_of(range.slots.first));
}

TEST(plan_forward, refuses_a_percent_that_is_none) {
  for (double percent :
       {0.0, -1.0, 100.5, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    EXPECT_EQ(plan_forward(sample_generation(), "sales", percent, fences_at(1), "w").error().code(),
              error_code::invalid_argument)
        << percent;
}

TEST(plan_forward, refuses_an_unknown_group) {
  EXPECT_EQ(plan_forward(sample_generation(), "stock", 1, fences_at(1), "w").error().code(),
            error_code::invalid_argument);
}

TEST(plan_forward, refuses_the_epoch_past_the_last) {  // K4
  EXPECT_EQ(value_of(plan_forward(sample_generation(), "sales", 1, fences_at(1022), "w")).after, epoch{1023});
  EXPECT_EQ(plan_forward(sample_generation(), "sales", 1, fences_at(1023), "w").error().code(),
            error_code::epoch_overflow);
}

TEST(plan_forward, goes_above_the_epoch_of_every_node) {
  auto fences = fences_at(2);
  fences.shards[2][0].epoch = epoch{9};
  EXPECT_EQ(highest_epoch(fences), epoch{9});
  EXPECT_EQ(value_of(plan_forward(sample_generation(), "sales", 1, fences, "w")).after, epoch{10});
}

TEST(plan_back, takes_what_one_shard_or_every_shard_has) {
  auto const now = sample_generation();
  auto const moved = after(now, value_of(plan_forward(now, "sales", 10, fences_at(1), "w")));
  auto const one = value_of(plan_back(moved, "sales", shard(1), fences_at(2), "b1"));
  EXPECT_EQ(one.ranges, (std::vector<shard_slots>{{shard(1), slots(1000, 1199)}}));
  EXPECT_EQ(one.direction, wave_direction::back);
  EXPECT_EQ(count_of(value_of(plan_back(moved, "sales", std::nullopt, fences_at(2), "b2"))),
            100u + 200 + 110);
  auto const back = after(moved, one);
  EXPECT_EQ(plan_back(back, "sales", shard(1), fences_at(3), "b3").error().code(),
            error_code::precondition_failed);
}

TEST(plan_back, finds_nothing_before_the_first_wave) {
  EXPECT_EQ(plan_back(sample_generation(), "sales", std::nullopt, fences_at(1), "w").error().code(),
            error_code::precondition_failed);
}

TEST(authority_from_fences, is_the_node_that_is_open) {
  auto fences = fences_at(1);
  fences.source = {{.slots = slots(0, 999), .epoch = epoch{1}, .open = false},
                   {.slots = slots(1000, 4095), .epoch = epoch{1}, .open = true}};
  fences.shards[0] = {{.slots = slots(0, 999), .epoch = epoch{2}, .open = true},
                      {.slots = slots(1000, 4095), .epoch = epoch{1}, .open = false}};
  auto const found = value_of(authority_from_fences(sample_generation().groups[0], fences));
  EXPECT_EQ(found, (std::vector<authority_range>{{slots(0, 999), shard(0), epoch{2}, {}},
                                                 {slots(1000, 4095), std::nullopt, epoch{1}, {}}}));
}

TEST(authority_from_fences, keeps_what_was_where_all_are_closed) {
  auto fences = fences_at(3);
  fences.source = {{.slots = all_slots, .epoch = epoch{3}, .open = false}};
  group_state const before{.name = "sales",
                           .stage = stage::sharded,
                           .authority = {{slots(0, 99), shard(0), epoch{2}, *lsn::parse("0/200")},
                                         {slots(100, 4095), std::nullopt, epoch{1}, {}}}};
  EXPECT_EQ(value_of(authority_from_fences(before, fences)), before.authority);
}

TEST(authority_from_fences, keeps_the_opening_position_of_the_same_authority_only) {
  auto fences = fences_at(1);
  fences.source = {{.slots = slots(0, 99), .epoch = epoch{1}, .open = false},
                   {.slots = slots(100, 4095), .epoch = epoch{5}, .open = true}};
  fences.shards[0] = {{.slots = slots(0, 99), .epoch = epoch{2}, .open = true},
                      {.slots = slots(100, 4095), .epoch = epoch{1}, .open = false}};
  group_state const before{.name = "sales",
                           .stage = stage::sharded,
                           .authority = {{slots(0, 99), shard(0), epoch{2}, *lsn::parse("0/200")},
                                         {slots(100, 4095), std::nullopt, epoch{1}, *lsn::parse("0/100")}}};
  auto const found = value_of(authority_from_fences(before, fences));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].opened, *lsn::parse("0/200"));
  EXPECT_FALSE(found[1].opened.is_set());
  EXPECT_EQ(found[1].epoch, epoch{5});
}

TEST(authority_from_fences, names_group_and_slot_where_two_nodes_are_open) {
  auto fences = fences_at(1);
  fences.shards[1] = {{.slots = slots(0, 1233), .epoch = epoch{1}, .open = false},
                      {.slots = slots(1234, 1234), .epoch = epoch{2}, .open = true},
                      {.slots = slots(1235, 4095), .epoch = epoch{1}, .open = false}};
  auto const found = authority_from_fences(sample_generation().groups[0], fences);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), error_code::corrupt_data);
  EXPECT_NE(found.error().to_string().find("1234"), std::string::npos);
  EXPECT_NE(found.error().to_string().find("sales"), std::string::npos);
  EXPECT_NE(found.error().to_string().find("I1"), std::string::npos);
}

TEST(ranges_by_shard, cuts_at_placement_and_joins_neighbours) {
  auto const found =
      ranges_by_shard(sample_generation(), {slots(900, 1100), slots(1101, 1200), slots(4000, 4095)});
  EXPECT_EQ(found,
            (std::vector<shard_slots>{
                {shard(0), slots(900, 999)}, {shard(1), slots(1000, 1200)}, {shard(2), slots(4000, 4095)}}));
  EXPECT_TRUE(ranges_by_shard(sample_generation(), {}).empty());
}

TEST(recover, completes_only_what_was_committed) {  // X6, K2
  static_assert(recover(std::nullopt) == wave_recovery::undo);
  EXPECT_EQ(recover(wave_decision::abort), wave_recovery::undo);
  EXPECT_EQ(recover(wave_decision::commit), wave_recovery::complete);
}

}  // namespace
