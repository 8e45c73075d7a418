// Lag of a stream, from what its origin said and the time since.
#include "lib/migrate/stream/read/origin.hpp"

#include <gtest/gtest.h>

namespace {

using namespace shardway;
using namespace shardway::migrate::stream;
using namespace std::chrono_literals;

TEST(origin_reading, age_of_a_commit_goes_on_while_nothing_is_read) {
  steady_time const then{1s};
  origin_reading const reading{.clock = 10'000'000, .taken_at = then};
  EXPECT_EQ(reading.lag_of(9'000'000, then), 1000ms);
  EXPECT_EQ(reading.lag_of(9'000'000, then + 500ms), 1500ms);
  EXPECT_EQ(reading.age(then + 500ms), 500ms);
}

TEST(origin_reading, a_commit_after_the_reading_has_no_lag) {
  steady_time const then{1s};
  origin_reading const reading{.clock = 10'000'000, .taken_at = then};
  EXPECT_EQ(reading.lag_of(11'000'000, then), 0ms);
}

TEST(bytes_between, is_never_negative) {
  EXPECT_EQ(bytes_between(lsn{100}, lsn{250}), 150);
  EXPECT_EQ(bytes_between(lsn{250}, lsn{100}), 0);
}

}  // namespace
