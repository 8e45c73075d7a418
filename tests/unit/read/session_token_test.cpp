// Tokens: merge, text form, and that what is foreign or malformed does nothing.
#include "shardway/read/session_token.hpp"

#include <gtest/gtest.h>

namespace {

using namespace shardway;

token_position seen(std::uint64_t system, std::int32_t incarnation, std::uint64_t position) {
  return {system, incarnation, lsn{position}};
}

TEST(session_token, keeps_the_later_position) {
  session_token token;
  token.saw("source", seen(7, 1, 100));
  token.saw("source", seen(7, 1, 90));
  EXPECT_EQ(token.at("source"), seen(7, 1, 100));
  token.saw("source", seen(7, 2, 10));
  EXPECT_EQ(token.at("source"), seen(7, 2, 10)) << "after a failover positions begin anew";
  token.saw("source", seen(7, 1, 500));
  EXPECT_EQ(token.at("source"), seen(7, 2, 10)) << "an LSN of the lost timeline";
  EXPECT_FALSE(token.at("shard0"));
}

TEST(session_token, an_unknown_position_stays_only_until_the_next_write) {
  session_token token, other;
  token.saw("source", {7, 1, unknown_position});
  other.saw("source", seen(7, 1, 100));
  token.merge(other);
  EXPECT_EQ(token.at("source")->position, unknown_position)
      << "the other session's write may be the earlier one";
  token.saw("source", seen(7, 1, 90));
  EXPECT_EQ(token.at("source"), seen(7, 1, 90));
  token.saw("source", {7, 2, unknown_position});
  token.saw("source", seen(7, 1, 500));
  EXPECT_EQ(token.at("source")->position, unknown_position) << "an LSN of the lost timeline";
}

TEST(session_token, merges_per_node_and_never_takes_another_system_for_its_own) {
  session_token mine, other;
  mine.saw("source", seen(7, 1, 100));
  other.saw("source", seen(8, 9, 900));
  other.saw("shard0", seen(9, 1, 5));
  other.saw_generation(4);
  mine.merge(other);
  EXPECT_EQ(mine.at("source"), seen(7, 1, 100));
  EXPECT_EQ(mine.at("shard0"), seen(9, 1, 5));
  EXPECT_EQ(mine.generation(), 4U);
}

TEST(session_token, text_goes_round_and_is_frozen) {
  session_token token;
  token.saw_generation(26);
  token.saw("source", seen(0x62f0a1b2c3d4e5f6, 1, 0x16B374D848));
  token.saw("shard0", seen(0x10, 3, 0xff));
  EXPECT_EQ(token.to_string(), "1:1a;shard0=10.3.ff;source=62f0a1b2c3d4e5f6.1.16b374d848");
  auto const parsed = session_token::parse(token.to_string());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, token);
  EXPECT_EQ(session_token::parse("1:0"), session_token{});
}

TEST(session_token, refuses_what_is_malformed) {
  for (auto const* text : {"",
                           "1",
                           "2:1",
                           "1:",
                           "1:x",
                           "1:1;",
                           "1:1;;",
                           "1:1;a",
                           "1:1;a=",
                           "1:1;a=1.1",
                           "1:1;a=1.1.",
                           "1:1;a=1.1.1.1",
                           "1:1;=1.1.1",
                           "1:1;a=-1.1.1",
                           "1:1;a=1.80000000.1",
                           "1:1;a=1.1.11111111111111111",
                           "1:1;a=1.1.1;a=1.1.1",
                           "1:1;a b=1.1.1",
                           "\x01",
                           "1:1\r\n"}) {
    EXPECT_FALSE(session_token::parse(text)) << text;
  }
  EXPECT_FALSE(session_token::parse("1:1;" + std::string(70000, 'a')));
}

}  // namespace
