// Pauses between tries.
#include "lib/migrate/nodes/back_off.hpp"

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using shardway::migrate::nodes::back_off;

TEST(back_off, doubles_up_to_the_longest_pause) {
  back_off pauses{20ms, 100ms};
  EXPECT_EQ(pauses.next(), 20ms);
  EXPECT_EQ(pauses.next(), 40ms);
  EXPECT_EQ(pauses.next(), 80ms);
  EXPECT_EQ(pauses.next(), 100ms);
  EXPECT_EQ(pauses.next(), 100ms);
}

TEST(back_off, begins_anew_after_a_success) {
  back_off pauses{20ms, 1s};
  pauses.next();
  pauses.next();
  pauses.reset();
  EXPECT_EQ(pauses.next(), 20ms);
}

TEST(back_off, never_waits_longer_than_it_may) {
  back_off pauses{20ms, 5ms};
  EXPECT_EQ(pauses.next(), 5ms);
  EXPECT_EQ(pauses.next(), 5ms);
}

// The option says how long a pause may get: a limit of an hour is one.
TEST(back_off, reaches_a_long_limit) {
  back_off pauses{20ms, 1h};
  auto longest = 0ms;
  for (int i = 0; i < 40; ++i) longest = pauses.next();
  EXPECT_EQ(longest, 1h);
}

}  // namespace
