#include "lib/sql/read_statement.hpp"

#include <gmock/gmock.h>

namespace {

using namespace shardway;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

scatter_statement lexed(std::string_view sql, subquery_scope scope = subquery_scope::any_rows) {
  return lex_scatter(sql, scope);
}

TEST(read_statement, finds_the_marks_and_puts_a_condition_in_their_place) {
  std::string_view const sql =
      "SELECT * FROM shop.orders o WHERE {slots:o.customer_id} AND o.total > $2; -- all";
  auto const found = lexed(sql);
  EXPECT_EQ(found.why, "");
  ASSERT_EQ(found.conditions.size(), 1U);
  EXPECT_THAT(found.conditions[0].columns, ElementsAre("o.customer_id"));
  EXPECT_EQ(found.parameter_count, 2U);
  EXPECT_EQ(with_conditions(found, sql, [](auto const& columns) { return "slot(" + columns[0] + ")"; }),
            "SELECT * FROM shop.orders o WHERE slot(o.customer_id) AND o.total > $2");
}

TEST(read_statement, a_mark_names_the_columns_of_a_composite_key) {
  auto const found = lexed(
      "SELECT 1 FROM a WHERE {slots: shop.a.tenant , \"Id\"} AND x IN (SELECT y FROM b WHERE "
      "{slots:b.tenant, b.id})");
  ASSERT_EQ(found.conditions.size(), 2U);
  EXPECT_THAT(found.conditions[0].columns, ElementsAre("shop.a.tenant", "\"Id\""));
  EXPECT_THAT(found.conditions[1].columns, ElementsAre("b.tenant", "b.id"));
}

TEST(read_statement, what_is_no_mark_is_left_to_the_server) {
  for (auto const* sql : {"SELECT '{slots:a}'", "SELECT 1 /* {slots:a} */", "SELECT {slots:}",
                          "SELECT {slots:f(a)}", "SELECT {slots:a b}", "SELECT {slots:a.}",
                          "SELECT {slots:a,}", "SELECT {slots:a", "SELECT {slots:1}", "SELECT \"{slots:a}\""})
    EXPECT_THAT(lexed(sql).conditions, IsEmpty()) << sql;
}

// While authority is split a mark under OR or NOT would not keep a node's other rows out.
TEST(read_statement, a_mark_stands_alone_among_the_conditions) {
  for (auto const* sql :
       {"SELECT 1 FROM a WHERE {slots:a.b} AND c OR d", "SELECT 1 FROM a WHERE d OR {slots:a.b}",
        "SELECT 1 FROM a WHERE NOT {slots:a.b}", "SELECT 1 FROM a WHERE NOT (c AND {slots:a.b})",
        "SELECT 1 FROM a WHERE (c AND {slots:a.b}) OR d", "SELECT 1 FROM a WHERE d OR (({slots:a.b}) AND c)",
        "SELECT {slots:a.b} FROM a"})
    EXPECT_THAT(lexed(sql).why, HasSubstr("OR")) << sql;
  for (auto const* sql :
       {"SELECT 1 FROM a WHERE {slots:a.b} AND (c OR d)",
        "SELECT 1 FROM a WHERE (c OR NOT d) AND ({slots:a.b})", "SELECT c OR d FROM a WHERE {slots:a.b}",
        "SELECT 1 FROM a JOIN b ON b.x = a.x AND {slots:a.b} WHERE NOT c",
        "SELECT 1 FROM a WHERE NOT c AND {slots:a.b}"})
    EXPECT_EQ(lexed(sql).why, "") << sql;
}

TEST(read_statement, refuses_what_does_not_add_up) {
  for (auto const* sql :
       {"SELECT 1 ORDER BY 1", "SELECT 1 LIMIT 1", "SELECT 1 OFFSET 1", "SELECT 1 FETCH FIRST ROW ONLY",
        "SELECT DISTINCT a FROM b", "SELECT a FROM b GROUP BY a", "SELECT a FROM b HAVING true",
        "SELECT rank() OVER (ORDER BY a) FROM b", "SELECT rank() OVER w FROM b",
        "SELECT 1 UNION ALL SELECT 2", "SELECT 1 INTERSECT SELECT 1", "SELECT 1 EXCEPT SELECT 1",
        "WITH a AS (SELECT 1) SELECT * FROM a", "SELECT * FROM (SELECT a FROM b LIMIT 1) c",
        "SELECT a FROM b FOR UPDATE", "DELETE FROM a", "SELECT 1; SELECT 2", "SELECT 'a", ""})
    EXPECT_NE(lexed(sql).why, "") << sql;
}

TEST(read_statement, names_and_comparisons_are_not_clauses) {
  for (auto const* sql : {"SELECT a IS DISTINCT FROM b FROM c", "SELECT a IS NOT DISTINCT FROM b FROM c",
                          "SELECT t.limit, a AS offset FROM t", "SELECT over FROM t",
                          "SELECT \"group\" FROM t", "SELECT 'order by' FROM t -- limit 1"})
    EXPECT_EQ(lexed(sql).why, "") << sql;
}

TEST(read_statement, subqueries_are_trusted_where_the_caller_vouches) {
  auto const* sql =
      "SELECT o.id, (SELECT count(*) FROM items i WHERE i.customer_id = o.customer_id) FROM orders o";
  EXPECT_THAT(lexed(sql).calls, ElementsAre("count"));
  EXPECT_THAT(lexed(sql, subquery_scope::one_shard_key).calls, IsEmpty());
  EXPECT_EQ(
      lexed("SELECT a FROM b WHERE c = (SELECT d FROM e ORDER BY f LIMIT 1)", subquery_scope::one_shard_key)
          .why,
      "");
  EXPECT_THAT(lexed("SELECT a FROM b LIMIT 1", subquery_scope::one_shard_key).why, HasSubstr("LIMIT"));
}

TEST(read_statement, calls_are_told_so_that_a_server_can_say_what_is_an_aggregate) {
  EXPECT_THAT(lexed("SELECT lower(a), coalesce(SUM (b), 0), \"My\"(c), s.total(d) FROM t WHERE a IN (1) AND "
                    "exists (SELECT 1)")
                  .calls,
              ElementsAre("lower", "sum", "My", "total"));
}

}  // namespace
