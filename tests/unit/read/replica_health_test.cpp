// Latency as it is learnt, pauses after failures, and that reads spread over replicas by what they cost.
#include "lib/read/replica_health.hpp"

#include <array>

#include <gtest/gtest.h>

#include "lib/read/replica_choice.hpp"

namespace {

using namespace shardway;
using namespace std::chrono_literals;

TEST(replica_health, follows_the_latency_slowly) {
  replica_health one;
  EXPECT_EQ(one.cost(), 0ns) << "not known";
  one.answered(1000ns);
  EXPECT_EQ(one.latency(), 1000ns);
  one.answered(6000ns);
  EXPECT_EQ(one.latency(), 2000ns);
  for (int i = 0; i < 50; ++i) one.answered(6000ns);
  EXPECT_GT(one.latency(), 5900ns);
}

TEST(replica_health, reads_under_way_cost) {
  replica_health one;
  one.answered(100ns);
  one.begun();
  one.begun();
  EXPECT_EQ(one.cost(), 300ns);
  for (int i = 0; i < 3; ++i) one.ended();
  EXPECT_EQ(one.cost(), 100ns);
}

TEST(replica_health, is_left_alone_for_longer_with_each_failure_and_never_for_ever) {
  replica_health one;
  steady_time const start{1h};
  one.failed(start);
  EXPECT_TRUE(one.is_avoided(start + replica_health::pause_min - 1ms));
  EXPECT_FALSE(one.is_avoided(start + replica_health::pause_min));
  one.failed(start);
  EXPECT_TRUE(one.is_avoided(start + replica_health::pause_min));
  for (int i = 0; i < 100; ++i) one.failed(start);
  EXPECT_FALSE(one.is_avoided(start + replica_health::pause_max));
  one.answered(1ms);
  EXPECT_FALSE(one.is_avoided(start));
}

std::array<int, 3> shares(std::array<std::chrono::nanoseconds, 3> costs, std::array<bool, 3> avoided = {}) {
  std::array<replica_view, 3> replicas;
  for (std::size_t i = 0; i < 3; ++i)
    replicas[i] = {.known = true, .position = {}, .tried = false, .avoided = avoided[i], .cost = costs[i]};
  std::array<int, 3> taken{};
  for (std::size_t turn = 0; turn < 3000; ++turn) {
    auto const choice = choose_replica(consistency::any_replica, {}, replicas, turn, true);
    if (choice.place == read_place::replica) ++taken[choice.replica];
  }
  return taken;
}

TEST(replica_choice, the_cheaper_of_two_gets_more_and_none_gets_all) {
  auto const taken = shares({100us, 200us, 5000us});
  EXPECT_GT(taken[0], taken[1]);
  EXPECT_GT(taken[1], taken[2]);
  EXPECT_LT(taken[0], 2400) << "no herd";
  EXPECT_GT(taken[2], 20) << "now and then the slow one is tried again";
}

TEST(replica_choice, equals_share_alike) {
  for (auto const one : shares({100us, 100us, 100us})) EXPECT_NEAR(one, 1000, 60);
}

TEST(replica_choice, who_failed_a_moment_ago_gets_nothing) {
  auto const taken = shares({1us, 100us, 100us}, {true, false, false});
  EXPECT_EQ(taken[0], 0);
  EXPECT_EQ(taken[1] + taken[2], 3000);
  auto const none = shares({1us, 1us, 1us}, {true, true, true});
  EXPECT_EQ(none[0] + none[1] + none[2], 0) << "the primary reads";
}

}  // namespace
