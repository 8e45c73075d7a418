// The small examples, run as a reader would run them.
#include <array>
#include <cstdio>

#include <gmock/gmock.h>

#include "client_fleet.hpp"

namespace {

using namespace shardway_test;

struct outcome {
  int status{};
  std::string said;
};

outcome run(std::string const& command) {
  outcome made;
  auto* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return {-1, "the program can't be started"};
  std::array<char, 256> part{};
  while (std::fgets(part.data(), static_cast<int>(part.size()), pipe)) made.said += part.data();
  made.status = ::pclose(pipe);
  return made;
}

TEST(examples, route_prints_a_line_a_customer) {
  auto const done = run(EXAMPLE_1 " 42 43");
  EXPECT_EQ(done.status, 0) << done.said;
  EXPECT_THAT(done.said, ::testing::HasSubstr("customer 42: slot " + std::to_string(slot_of(42).value())));
}

TEST(examples, an_order_is_dual_written_and_read_back_under_its_token) {
  client_fleet fleet;
  fleet.set_mode(dual_write_mode::sync);
  fleet.publish(stage::dual_writing);
  auto const with = " \"" + fleet.servers().conninfo(fleet.servers().source()) + "\" 42 900";
  auto const written = run(EXAMPLE_3 + with);
  EXPECT_EQ(written.status, 0) << written.said;
  EXPECT_THAT(written.said, ::testing::HasSubstr("committed on source, 3 rows, dual_write applied"));
  auto const read = run(EXAMPLE_4 + with);
  EXPECT_EQ(read.status, 0) << read.said;
  EXPECT_THAT(read.said, ::testing::HasSubstr("note \"read me\" from source"));
  auto const carried = run(EXAMPLE_5 + with);
  EXPECT_EQ(carried.status, 0) << carried.said;
  EXPECT_THAT(carried.said, ::testing::ContainsRegex("Shardway-Session: 1:[0-9a-f]+;source=[0-9a-f.]+"));
  EXPECT_THAT(carried.said, ::testing::HasSubstr("note \"by header\" from source"));
  EXPECT_NE(run(EXAMPLE_3 + with).status, 0) << "the same order again is a constraint violation";
}

}  // namespace
