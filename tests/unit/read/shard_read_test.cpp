// Which slots shards serve, and when a shard may answer. Keeps I8.
#include "lib/read/shard_read.hpp"

#include <array>

#include <gtest/gtest.h>

#include "lib/read/hedge_budget.hpp"

namespace {

using namespace shardway;

TEST(served_by_shard, is_exact_stable_and_spread_over_all_shards) {
  for (std::uint32_t percent = 0; percent <= 100; ++percent) {
    std::array<std::uint32_t, 16> parts{};
    std::uint32_t served = 0;
    for (std::uint16_t slot = 0; slot < limits::slot_count; ++slot) {
      bool const is_in = served_by_shard(slot_id{slot}, percent);
      served += is_in;
      parts[slot / 256] += is_in;
      if (percent > 0 && served_by_shard(slot_id{slot}, percent - 1)) {
        EXPECT_TRUE(is_in) << slot;
      }
    }
    EXPECT_EQ(served, (percent * limits::slot_count + 99) / 100);
    for (auto const part : parts) EXPECT_NEAR(part, 2.56 * percent, 4);
  }
}

read_need needs(std::uint64_t position) {
  return {.position = token_position{7, 1, lsn{position}}, .cannot_be_judged = false};
}
constexpr shard_view applied_up_to(std::uint64_t applied) {
  return {.known = true, .avoided = false, .applied = lsn{applied}};
}

TEST(choose_shard, asks_a_shard_that_is_far_enough) {
  EXPECT_EQ(choose_shard({}, applied_up_to(1), true), shard_place::shard);
  EXPECT_EQ(choose_shard(needs(100), applied_up_to(100), false), shard_place::shard);
  EXPECT_EQ(choose_shard(needs(100), applied_up_to(99), true), shard_place::wait);
  EXPECT_EQ(choose_shard(needs(100), applied_up_to(99), false), shard_place::source);
}

TEST(choose_shard, asks_none_that_is_unknown_or_failing_and_for_no_need_that_can_not_be_judged) {
  EXPECT_EQ(choose_shard({}, {}, true), shard_place::source);
  EXPECT_EQ(choose_shard({}, {.known = true, .avoided = true, .applied = lsn{500}}, true),
            shard_place::source);
  EXPECT_EQ(choose_shard({.position = {}, .cannot_be_judged = true}, applied_up_to(500), true),
            shard_place::source);
  EXPECT_EQ(choose_shard({.position = token_position{7, 1, unknown_position}, .cannot_be_judged = false},
                         applied_up_to(500), true),
            shard_place::source);
}

TEST(stream_proof, holds_only_without_parked_keys_under_the_same_generation_and_epoch) {
  stream_proof const good{.applied = lsn{5}, .generation = 3, .parked = false, .epoch = epoch{2}};
  EXPECT_TRUE(holds(good, 3, epoch{2}));
  EXPECT_TRUE(holds(good, 4, epoch{2}));
  EXPECT_FALSE(holds(good, 2, epoch{2}));
  EXPECT_FALSE(holds(good, 3, epoch{3}));
  auto parked = good, without = good;
  parked.parked = true;
  without.applied = {};
  EXPECT_FALSE(holds(parked, 3, epoch{2}));
  EXPECT_FALSE(holds(without, 3, epoch{2}));
}

TEST(hedge_budget, is_one_for_ten_reads_and_saves_a_few) {
  hedge_budget budget;
  EXPECT_TRUE(budget.take());
  EXPECT_FALSE(budget.take());
  int sent = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.read_begun();
    sent += budget.take();
  }
  EXPECT_EQ(sent, 100);
  for (int i = 0; i < 1000; ++i) budget.read_begun();
  for (sent = 0; budget.take();) ++sent;
  EXPECT_EQ(sent, hedge_budget::saved_max);
}

}  // namespace
