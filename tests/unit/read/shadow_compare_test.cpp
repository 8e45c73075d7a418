// Answers reduced to digests, and the rounds that tell a late shard from a wrong one.
#include "lib/read/shadow_compare.hpp"

#include <gtest/gtest.h>

namespace {

using namespace shardway;

rows answer(std::vector<std::vector<text_value>> const& lines,
            std::vector<rows::column> columns = {{"a", 20}, {"b", 25}}) {
  std::vector<text_value> values;
  for (auto const& line : lines) values.insert(values.end(), line.begin(), line.end());
  return rows{std::move(columns), lines.size(), std::move(values), static_cast<std::int64_t>(lines.size())};
}
answer_digest digest(std::vector<std::vector<text_value>> const& lines, bool is_ordered = false) {
  return digest_of(answer(lines), is_ordered);
}

TEST(shadow_compare, order_counts_only_where_it_was_asked_for) {
  EXPECT_EQ(digest({{"1", "x"}, {"2", "y"}}), digest({{"2", "y"}, {"1", "x"}}));
  EXPECT_NE(digest({{"1", "x"}, {"2", "y"}}, true), digest({{"2", "y"}, {"1", "x"}}, true));
  EXPECT_EQ(digest({{"1", "x"}, {"2", "y"}}, true), digest({{"1", "x"}, {"2", "y"}}, true));
}

TEST(shadow_compare, values_nulls_and_their_borders_count) {
  auto const one = digest({{"1", "x"}});
  for (auto const& other : {digest({{"1", ""}}), digest({{"1", std::nullopt}}), digest({{"1x", ""}}),
                            digest({{"x", "1"}}), digest({{"1", "x"}, {"1", "x"}}), digest({})})
    EXPECT_NE(one, other);
  EXPECT_NE(digest({{"", std::nullopt}}), digest({{std::nullopt, ""}}));
  EXPECT_NE(digest({{"1", "x"}, {"1", "x"}, {"2", "y"}}), digest({{"1", "x"}, {"2", "y"}, {"2", "y"}}))
      << "how often a row is there counts";
}

TEST(shadow_compare, columns_count_by_name_and_by_the_servers_own_types) {
  auto const columns = [](std::string name, std::uint32_t type) {
    return digest_of(answer({}, {{std::move(name), type}}), false).columns;
  };
  EXPECT_NE(columns("a", 20), columns("b", 20));
  EXPECT_NE(columns("a", 20), columns("a", 23));
  EXPECT_EQ(columns("a", 16500), columns("a", 17000))
      << "a type of the user's has another number on each server";
}

answer_digest const a = digest({{"1", "a"}}), b = digest({{"1", "b"}}), c = digest({{"1", "c"}}),
                    d = digest({{"1", "d"}}), e = digest({{"1", "e"}});

TEST(shadow_rounds, equal_later_is_stale) {
  shadow_rounds as_before{a}, as_after{a};
  EXPECT_FALSE(as_before.needs_source(a));
  EXPECT_TRUE(as_before.is_over(a, a));
  EXPECT_EQ(as_before.result(), shadow_class::stale);
  EXPECT_TRUE(as_after.needs_source(b));
  EXPECT_TRUE(as_after.is_over(b, b)) << "the row has changed since, on both";
  EXPECT_EQ(as_after.result(), shadow_class::stale);
}

TEST(shadow_rounds, another_answer_twice_while_the_source_stood_still_is_different) {
  shadow_rounds rounds{a};
  EXPECT_FALSE(rounds.is_over(b, a)) << "once may be a row that changed and changed back";
  EXPECT_TRUE(rounds.is_over(b, a));
  EXPECT_EQ(rounds.result(), shadow_class::different);
}

TEST(shadow_rounds, a_source_that_never_stands_still_can_not_be_compared) {
  shadow_rounds rounds{a};
  EXPECT_FALSE(rounds.is_over(e, b));
  EXPECT_FALSE(rounds.is_over(e, c));
  EXPECT_FALSE(rounds.is_over(e, d));
  EXPECT_TRUE(rounds.is_over(e, a));
  EXPECT_EQ(rounds.result(), shadow_class::not_comparable);
}

}  // namespace
