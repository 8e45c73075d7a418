// The breaker's states, without a clock of its own.
#include "lib/write/breaker.hpp"

#include <gtest/gtest.h>

namespace {

using namespace shardway;
using namespace std::chrono_literals;

constexpr breaker_options options{.failures_max = 3, .first_wait = 100ms, .wait_max = 300ms};
steady_time const start{};

breaker opened() {
  breaker one{options};
  EXPECT_FALSE(one.failed(start));
  EXPECT_FALSE(one.failed(start));
  EXPECT_TRUE(one.failed(start)) << "the third failure opens it and says so once";
  return one;
}

TEST(breaker, opens_after_failures_in_a_row_only) {  // W18
  breaker one{options};
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(one.may_try(start));
    EXPECT_FALSE(one.failed(start));
    EXPECT_FALSE(one.failed(start));
    EXPECT_FALSE(one.succeeded());
  }
  EXPECT_FALSE(one.is_open());
}

TEST(breaker, lets_one_trial_through_after_the_wait) {
  auto one = opened();
  EXPECT_FALSE(one.may_try(start + 99ms));
  EXPECT_TRUE(one.may_try(start + 100ms));
  EXPECT_FALSE(one.may_try(start + 100ms)) << "a second while the trial runs";
  EXPECT_TRUE(one.succeeded());
  EXPECT_TRUE(one.may_try(start + 100ms));
  EXPECT_FALSE(one.is_open());
}

TEST(breaker, waits_longer_after_each_failed_trial_up_to_a_limit) {
  auto one = opened();
  auto time = start + 100ms;
  for (auto const wait : {200ms, 300ms, 300ms}) {
    ASSERT_TRUE(one.may_try(time));
    EXPECT_FALSE(one.failed(time));
    EXPECT_FALSE(one.may_try(time + wait - 1ms));
    time += wait;
  }
}

TEST(breaker, a_trial_that_told_nothing_is_given_back) {
  auto one = opened();
  ASSERT_TRUE(one.may_try(start + 100ms));
  one.gave_up();
  EXPECT_TRUE(one.may_try(start + 100ms));
}

TEST(breaker, late_failures_of_writes_that_began_earlier_do_not_prolong_it) {
  auto one = opened();
  EXPECT_FALSE(one.failed(start + 90ms));
  EXPECT_TRUE(one.may_try(start + 100ms));
}

}  // namespace
