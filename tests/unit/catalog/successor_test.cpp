// I3: which generation may follow which.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shardway/catalog/generation_store.hpp"

namespace shardway {
namespace {

using ::testing::HasSubstr;

authority_range range(int first, int last, int shard, int at) {
  authority_range out;
  out.slots = {slot_id{static_cast<std::uint16_t>(first)}, slot_id{static_cast<std::uint16_t>(last)}};
  if (shard >= 0) out.shard = shard_id{static_cast<std::uint16_t>(shard)};
  out.epoch = epoch{static_cast<std::uint16_t>(at)};
  return out;
}

generation with(std::vector<authority_range> authority, stage at = stage::sharded) {
  generation out;
  out.groups = {{"orders", at, std::move(authority)}};
  return out;
}

TEST(successor, a_wave_may_take_part_of_a_range) {
  EXPECT_TRUE(
      check_successor(with({range(0, 4095, -1, 1)}), with({range(0, 9, 0, 3), range(10, 4095, -1, 1)})));
}

TEST(successor, a_range_may_come_back_under_a_newer_epoch) {
  EXPECT_TRUE(
      check_successor(with({range(0, 9, 0, 3), range(10, 4095, -1, 1)}), with({range(0, 4095, -1, 4)})));
}

TEST(successor, merging_ranges_must_not_lower_an_epoch) {
  auto const refused =
      check_successor(with({range(0, 9, -1, 3), range(10, 4095, -1, 1)}), with({range(0, 4095, -1, 2)}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::precondition_failed);
  EXPECT_THAT(refused.error().message(), HasSubstr("slots 0 to 9: epoch 3 would go back to 2"));
}

TEST(successor, one_shard_does_not_follow_another_under_the_same_epoch) {
  auto const refused =
      check_successor(with({range(0, 4095, 0, 3)}), with({range(0, 99, 0, 3), range(100, 4095, 1, 3)}));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(),
              HasSubstr("slots 100 to 4095: authority would change without a new epoch"));
}

TEST(successor, epochs_end_at_1023) {  // K4
  EXPECT_TRUE(check_successor(with({range(0, 4095, -1, 1022)}), with({range(0, 4095, 0, 1023)})));
  EXPECT_EQ(check_successor(with({range(0, 4095, -1, 1023)}), with({range(0, 4095, 0, 1024)})).error().code(),
            error_code::epoch_overflow);
}

TEST(successor, only_a_group_that_never_left_observing_may_disappear) {
  EXPECT_FALSE(check_successor(with({range(0, 4095, -1, 1)}, stage::copying), generation{}));
  EXPECT_TRUE(check_successor(with({range(0, 4095, -1, 1)}, stage::observing), generation{}));
}

TEST(successor, a_new_group_needs_no_predecessor) {
  EXPECT_TRUE(check_successor(generation{}, with({range(0, 4095, -1, 1)})));
}

}  // namespace
}  // namespace shardway
