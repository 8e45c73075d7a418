#include "lib/read/merge.hpp"

#include <gmock/gmock.h>

#include "lib/read/compare_values.hpp"
#include "lib/read/merge_sql.hpp"
#include "lib/store/text_array.hpp"

namespace {

using namespace shardway;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint32_t int8_oid = 20, text_oid = 25, numeric_oid = 1700, float8_oid = 701,
                        timestamptz_oid = 1184, bytea_oid = 17;

rows part(std::uint32_t type, std::vector<text_value> values, std::string const& origin) {
  std::vector<text_value> all;
  for (auto& value : values) all.insert(all.end(), {value, origin});
  auto const count = values.size();
  return rows{{{"value", type}, {"origin", text_oid}}, count, std::move(all), 0};
}
std::vector<std::string> list(rows const& merged) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < merged.size(); ++i)
    all.push_back((merged.at(i, 0) ? std::string(*merged.at(i, 0)) : "null") +
                  std::string(merged.text(i, 1)));
  return all;
}

TEST(merge, rows_come_in_order_and_equal_ones_by_part) {
  rows const parts[]{part(int8_oid, {"1", "3", "3"}, "a"), part(int8_oid, {}, "b"),
                     part(int8_oid, {"-5", "3", "10"}, "c")};
  EXPECT_THAT(list(merge_parts({.order_by = {{.column = "value"}}}, parts)),
              ElementsAre("-5c", "1a", "3a", "3a", "3c", "10c"));
  EXPECT_THAT(list(merge_parts({.order_by = {{.column = "value"}}, .limit = 2, .offset = 2}, parts)),
              ElementsAre("3a", "3a"));
  EXPECT_THAT(list(merge_parts({}, parts)), ElementsAre("1a", "3a", "3a", "-5c", "3c", "10c"));
  EXPECT_THAT(list(merge_parts({.limit = 0}, parts)), ElementsAre());
}

TEST(merge, nulls_stand_where_postgresql_puts_them) {
  rows const ascending[]{part(int8_oid, {"1", std::nullopt}, "a"), part(int8_oid, {"2"}, "b")};
  EXPECT_THAT(list(merge_parts({.order_by = {{.column = "value"}}}, ascending)),
              ElementsAre("1a", "2b", "nulla"));
  rows const descending[]{part(int8_oid, {std::nullopt, "1"}, "a"), part(int8_oid, {"2"}, "b")};
  EXPECT_THAT(list(merge_parts({.order_by = {{.column = "value", .descending = true}}}, descending)),
              ElementsAre("nulla", "2b", "1a"));
  rows const first[]{part(int8_oid, {"1"}, "a"), part(int8_oid, {std::nullopt, "2"}, "b")};
  EXPECT_THAT(list(merge_parts({.order_by = {{.column = "value", .nulls_first = true}}}, first)),
              ElementsAre("nullb", "1a", "2b"));
}

TEST(merge, values_compare_by_type) {
  EXPECT_LT(compare_values(numeric_oid, "-100.5", "-99"), 0);
  EXPECT_EQ(compare_values(numeric_oid, "1.50", "1.5"), 0);
  EXPECT_EQ(compare_values(numeric_oid, "0.00", "-0"), 0);
  EXPECT_LT(compare_values(numeric_oid, "99999999999999999999.1", "99999999999999999999.11"), 0);
  EXPECT_LT(compare_values(numeric_oid, "Infinity", "NaN"), 0);
  EXPECT_LT(compare_values(float8_oid, "Infinity", "NaN"), 0);
  EXPECT_EQ(compare_values(float8_oid, "-0", "0"), 0);
  EXPECT_LT(compare_values(float8_oid, "1e-300", "2"), 0);
  EXPECT_LT(compare_values(timestamptz_oid, "0044-03-15 00:00:00+00 BC", "0043-03-15 00:00:00+00 BC"), 0);
  EXPECT_LT(compare_values(timestamptz_oid, "9999-12-31 00:00:00+00", "10000-01-01 00:00:00+00"), 0);
  EXPECT_LT(compare_values(timestamptz_oid, "2024-01-01 00:00:00+00", "2024-01-01 00:00:00.5+00"), 0);
  EXPECT_LT(compare_values(timestamptz_oid, "-infinity", "4713-01-01 00:00:00+00 BC"), 0);
  EXPECT_LT(compare_values(bytea_oid, "\\x", "\\x00"), 0);
}

TEST(merge, text_needs_its_collation_named) {
  auto const first = part(text_oid, {"a"}, "a");
  EXPECT_EQ(merge_place_of({.order_by = {{.column = "value"}}}, first).error().code(),
            error_code::invalid_argument);
  EXPECT_EQ(merge_place_of({.order_by = {{.column = "value", .collation = "C"}}}, first).value(),
            merge_place::here);
  EXPECT_EQ(merge_place_of({.order_by = {{.column = "value", .collation = "default"}}}, first).value(),
            merge_place::server);
  EXPECT_EQ(merge_place_of({.order_by = {{.column = "absent"}}}, first).error().code(),
            error_code::invalid_argument);
}

TEST(merge, terms_that_mean_nothing_are_refused) {
  using f = aggregate_function;
  for (auto const& terms :
       std::vector<merge_terms>{{.offset = 1},
                                {.limit = 11},
                                {.order_by = {{.column = "a"}}, .limit = 5, .offset = 6},
                                {.order_by = {{}}},
                                {.group_by = {"a", "a"}},
                                {.group_by = {""}},
                                {.aggregates = {{"", f::count_rows}}},
                                {.aggregates = {{"n", f::sum}}},
                                {.aggregates = {{"n", f::count_rows, "a"}}},
                                {.group_by = {"n"}, .aggregates = {{"n", f::count_rows}}}})
    EXPECT_EQ(check_terms(terms, 10).error().code(), error_code::invalid_argument);
  EXPECT_TRUE(check_terms({.order_by = {{.column = "a"}}, .limit = 5, .offset = 5}, 10));
}

TEST(merge, each_node_sorts_and_limits_its_own_part) {
  EXPECT_EQ(part_sql("SELECT 1 -- all", {}, 10),
            "SELECT * FROM (\nSELECT 1 -- all\n) AS shardway_part LIMIT 11");
  EXPECT_THAT(
      part_sql(
          "q",
          {.order_by = {{.column = "a\"b", .descending = true, .collation = "C"}}, .limit = 3, .offset = 4},
          10),
      HasSubstr("ORDER BY \"a\"\"b\" COLLATE \"C\" DESC NULLS FIRST LIMIT 7"));
}

TEST(merge, a_text_array_is_quoted) {
  std::vector<text_value> const values{"a", "", "NULL", "q\"uo\\te", "{,}", std::nullopt};
  EXPECT_EQ(text_array(values), R"({"a","","NULL","q\"uo\\te","{,}",NULL})");
  EXPECT_EQ(text_array(std::vector<text_value>{}), "{}");
}

TEST(merge, numbers_of_a_server_are_looked_at) {
  rows const parts[]{part(int8_oid, {"1"}, "a"), part(int8_oid, {"2", "3"}, "b")};
  auto const numbers = [](std::vector<text_value> values) {
    auto const n = values.size();
    return rows{{{"n", int8_oid}}, n, std::move(values), 0};
  };
  EXPECT_THAT(list(pick_rows(parts, numbers({"3", "1", "2"})).value()), ElementsAre("3b", "1a", "2b"));
  EXPECT_EQ(pick_rows(parts, numbers({"4"})).error().code(), error_code::protocol_violation);
  EXPECT_EQ(pick_rows(parts, numbers({"0"})).error().code(), error_code::protocol_violation);
}

}  // namespace
