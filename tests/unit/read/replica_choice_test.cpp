// I8: a replica is chosen only where its position says that it has everything in the token.
#include "lib/read/replica_choice.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace shardway;

token_position position_of(std::uint64_t position, std::uint64_t system = 7, std::int32_t incarnation = 1) {
  return {system, incarnation, lsn{position}};
}
replica_view far(std::uint64_t position) { return {.known = true, .position = position_of(position)}; }
read_choice choose(read_need const& need, std::vector<replica_view> const& replicas, bool may_wait = true,
                   std::size_t turn = 0, consistency fresh = consistency::read_your_writes) {
  return choose_replica(fresh, need, replicas, turn, may_wait);
}
constexpr read_choice primary{read_place::primary, 0};
constexpr read_choice wait{read_place::wait, 0};
constexpr read_choice replica(std::size_t index) { return {read_place::replica, index}; }

TEST(replica_choice, takes_one_that_is_far_enough) {
  EXPECT_EQ(choose({position_of(100)}, {far(99), far(100)}), replica(1));
  EXPECT_EQ(choose({position_of(100)}, {far(101), far(100)}), replica(0));
  EXPECT_EQ(choose({}, {far(1)}), replica(0));
}

TEST(replica_choice, spreads_reads) {
  EXPECT_EQ(choose({}, {far(1), far(1)}, true, 0), replica(0));
  EXPECT_EQ(choose({}, {far(1), far(1)}, true, 1), replica(1));
}

TEST(replica_choice, waits_only_while_that_can_help) {  // R4, R5
  EXPECT_EQ(choose({position_of(100)}, {far(99)}), wait);
  EXPECT_EQ(choose({position_of(100)}, {far(99)}, false), primary) << "the budget is spent";
  EXPECT_EQ(choose({position_of(100)}, {}), primary);
  EXPECT_EQ(choose({position_of(100)}, {{.known = false, .position = position_of(500)}}), primary)
      << "a position of a lost connection counts for nothing";
  EXPECT_EQ(choose({position_of(100)}, {{.known = true, .position = position_of(500), .tried = true}}),
            primary);
}

TEST(replica_choice, no_replica_is_waited_for_where_the_position_is_unknown) {
  EXPECT_EQ(choose({.position = token_position{7, 1, unknown_position}}, {far(99)}), primary);
}

TEST(replica_choice, positions_of_other_systems_and_timelines_satisfy_nothing) {  // R1, R2
  EXPECT_EQ(choose({position_of(100)}, {{.known = true, .position = position_of(500, 8)}}), primary);
  EXPECT_EQ(choose({position_of(100)}, {{.known = true, .position = position_of(500, 7, 2)}}), primary);
  EXPECT_EQ(choose({.position = position_of(1), .cannot_be_judged = true}, {far(500)}), primary);
}

TEST(replica_choice, primary_means_primary) {
  EXPECT_EQ(choose({}, {far(1)}, true, 0, consistency::primary), primary);
}

}  // namespace
