// Tokens from anywhere: any bytes are refused or go round, merging is a join, and sizes stay within what the
// header says.
#include <random>

#include <gtest/gtest.h>

#include "shardway/read/session_token.hpp"

namespace {

using namespace shardway;

constexpr std::uint64_t seed = 20240607;

// Each node has one system, as in one migration.
session_token random_token(std::mt19937_64& random) {
  session_token token;
  token.saw_generation(random() % 4);
  for (int i = static_cast<int>(random() % 5); i > 0; --i) {
    auto const node = random() % 4;
    auto const position = random() % 6 == 0 ? unknown_position : lsn{random() % 5};
    token.saw("node" + std::to_string(node),
              {100 + node, static_cast<std::int32_t>(1 + random() % 3), position});
  }
  return token;
}
session_token merged(session_token one, session_token const& other) {
  one.merge(other);
  return one;
}

TEST(session_token_property, merging_is_commutative_associative_and_idempotent) {
  std::mt19937_64 random{seed};
  for (int i = 0; i < 5000; ++i) {
    auto const a = random_token(random), b = random_token(random), c = random_token(random);
    ASSERT_EQ(merged(a, b), merged(b, a));
    ASSERT_EQ(merged(merged(a, b), c), merged(a, merged(b, c)));
    ASSERT_EQ(merged(a, a), a);
    ASSERT_EQ(merged(merged(a, b), b), merged(a, b));
  }
}

TEST(session_token_property, merging_asks_for_no_less_than_each) {
  std::mt19937_64 random{seed};
  for (int i = 0; i < 2000; ++i) {
    auto const a = random_token(random), b = random_token(random);
    auto const both = merged(a, b);
    EXPECT_EQ(both.generation(), std::max(a.generation(), b.generation()));
    for (int node = 0; node < 4; ++node)
      for (auto const* one : {&a, &b})
        if (auto const held = one->at("node" + std::to_string(node))) {
          auto const now = *both.at("node" + std::to_string(node));
          EXPECT_TRUE(now.incarnation > held->incarnation ||
                      (now.incarnation == held->incarnation && now.position >= held->position));
        }
  }
}

TEST(session_token_property, another_system_never_takes_a_nodes_place_whatever_the_order) {  // R1
  std::mt19937_64 random{seed};
  for (int i = 0; i < 500; ++i) {
    auto mine = random_token(random);
    auto const before = mine;
    session_token foreign;
    for (int node = 0; node < 4; ++node)
      foreign.saw("node" + std::to_string(node), {7, 1000, unknown_position});
    mine.merge(foreign);
    for (int node = 0; node < 4; ++node) {
      auto const name = "node" + std::to_string(node);
      if (before.at(name)) {
        EXPECT_EQ(mine.at(name), before.at(name));
      }
    }
  }
}

std::string mutated(std::string text, std::mt19937_64& random) {
  for (auto changes = 1 + random() % 4; changes > 0; --changes) {
    auto const begin = random() % (text.size() + 1);
    auto const length = std::min<std::size_t>(random() % 8, text.size() - begin);
    constexpr std::string_view likely = "0123456789abcdefF:;=.-+ \n\0\xff";
    switch (random() % 5) {
      case 0:
        text.insert(begin, 1, likely[random() % likely.size()]);
        break;
      case 1:
        text.erase(begin, length);
        break;
      case 2:
        text.insert(begin, text.substr(begin, length));
        break;
      case 3:
        text.resize(begin);
        break;
      default:
        if (begin < text.size()) text[begin] = static_cast<char>(random());
    }
  }
  return text;
}

TEST(session_token_property, mutations_are_refused_or_go_round) {
  std::mt19937_64 random{seed};
  int refused = 0;
  for (int i = 0; i < 30000; ++i) {
    auto const text = mutated(random_token(random).to_string(), random);
    auto const parsed = session_token::parse(text);
    refused += !parsed;
    if (!parsed) continue;
    auto const again = session_token::parse(parsed->to_string());
    ASSERT_TRUE(again) << text;
    ASSERT_EQ(*again, *parsed) << text;
    ASSERT_LE(parsed->to_string().size(), text.size()) << "numbers are written in their shortest form";
  }
  EXPECT_GT(refused, 10000);
  EXPECT_LT(refused, 30000);
}

session_token of_nodes(std::size_t shards, std::uint64_t position) {
  session_token token;
  token.saw_generation(position);
  token.saw("source", {~std::uint64_t{0}, 1, lsn{position}});
  for (std::size_t i = 0; i < shards; ++i)
    token.saw("shard" + std::to_string(i), {~std::uint64_t{0} - i, 1, lsn{position}});
  return token;
}

TEST(session_token_property, sizes_are_what_the_header_says) {
  EXPECT_LE(of_nodes(0, 0x16B374D8480).to_string().size(), 60U);
  EXPECT_LE(of_nodes(64, 0x16B374D8480).to_string().size(), 2600U) << "positions of some TB of WAL";
  EXPECT_LE(of_nodes(64, ~std::uint64_t{0} - 1).to_string().size(), 3000U) << "positions of 16 digits";
  EXPECT_TRUE(session_token::parse(of_nodes(1024, ~std::uint64_t{0} - 1).to_string()));
}

TEST(session_token_property, junk_can_not_grow_a_token_without_bound) {
  session_token token;
  for (int round = 0; round < 5; ++round) {
    session_token junk;
    for (int i = 0; i < 1000; ++i)
      junk.saw("junk" + std::to_string(round) + "_" + std::to_string(i), {1, 1, lsn{1}});
    token.merge(junk);
  }
  token.saw("source", {7, 1, lsn{5}});
  EXPECT_EQ(token.at("source")->position, lsn{5}) << "its own writes are always kept";
  EXPECT_LE(token.to_string().size(), 64U * 1024);
  token.keep([](std::string_view node) { return node == "source"; });
  EXPECT_EQ(token.to_string(), "1:0;source=7.1.5");
}

}  // namespace
