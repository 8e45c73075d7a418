// The SQL of three tables as it is sent, and the function that fills the files it is made of.
#include <gtest/gtest.h>

#include "lib/protocol/sql_template.hpp"
#include "tests/unit/protocol/golden_file.hpp"
#include "tests/unit/protocol/sql_samples.hpp"

namespace {

using namespace shardway_test;

std::string document_of(sql_sample const& sample) {
  std::string document = "-- What is installed for table " + sample.table.manifest.table + ".\n";
  for (auto const& [title, sql] : sections_of_table(sample)) document += "\n-- === " + title + " ===\n" + sql;
  return document;
}

void compare(sql_sample const& sample) { compare_with_golden_file(sample.file, document_of(sample)); }

TEST(golden_sql, of_a_table_with_a_bigint_key) { compare(orders_sample()); }
TEST(golden_sql, of_a_table_with_quoted_names_several_key_columns_and_lookups) {
  compare(mixed_case_sample());
}
TEST(golden_sql, of_a_partitioned_table_that_is_captured_by_triggers) { compare(events_sample()); }

constexpr sql_template grant{"grant.sql", "GRANT SELECT ON {{table}} TO {{role}}; -- {{role}}"};

TEST(sql_template, fills_each_mark_wherever_it_is) {
  auto const filled =
      fill(grant, {{"table", sql_fragment::table("s.t")}, {"role", sql_fragment::identifier("a \"b\"")}});
  EXPECT_EQ(filled.text(), "GRANT SELECT ON \"s\".\"t\" TO \"a \"\"b\"\"\"; -- \"a \"\"b\"\"\"");
}

TEST(sql_template, a_value_is_not_searched_for_marks) {
  auto const filled =
      fill(grant, {{"table", sql_fragment::identifier("{{role}}")}, {"role", sql_fragment::identifier("r")}});
  EXPECT_EQ(filled.text(), "GRANT SELECT ON \"{{role}}\" TO \"r\"; -- \"r\"");
}

TEST(sql_template, marks_and_values_that_do_not_match_end_the_program_and_are_named) {
  auto const role = sql_fragment::identifier("r");
  auto const table = sql_fragment::table("s.t");
  EXPECT_DEATH(fill(grant, {{"role", role}}), "grant.sql: mark table was given no value");
  EXPECT_DEATH(fill(grant, {{"role", role}, {"table", table}, {"more", role}}),
               "grant.sql: mark more is not in it");
  EXPECT_DEATH(fill({"open.sql", "SELECT {{role FROM t"}, {{"role", role}}),
               "open.sql: mark .* is not closed");
}

TEST(sql_template, a_body_is_quoted_by_what_no_name_holds) {
  constexpr sql_template function{"function.sql", "AS {{quote}} SELECT {{name}} {{quote}}"};
  auto const filled = [&](char const* name) {
    return fill_function(function, {{"name", sql_fragment::identifier(name)}}).text();
  };
  EXPECT_EQ(filled("plain"), "AS $f$ SELECT \"plain\" $f$");
  EXPECT_EQ(filled("$f$ and $f0$"), "AS $f1$ SELECT \"$f$ and $f0$\" $f1$");
}

template <class Text>
constexpr bool fills_a_mark = std::is_constructible_v<sql_value, std::string_view, Text>;
static_assert(fills_a_mark<sql_fragment>);
static_assert(!fills_a_mark<std::string> && !fills_a_mark<char const*>, "text that nobody quoted");
static_assert(!std::is_convertible_v<std::string, sql_fragment>);

}  // namespace
