// What a SELECT's text says of itself.
#include "lib/sql/select_facts.hpp"

#include <gmock/gmock.h>

namespace {

using namespace shardway;

TEST(select_facts, names_what_is_qualified) {
  auto const facts = facts_of_select(
      "SELECT o.note, \"C\".x FROM Shop.Orders AS o JOIN \"shop\".\"Items\" i ON i.\"order id\" = o.id -- "
      "shop.other\n WHERE o.n = 'shop.text'");
  EXPECT_THAT(facts.names, ::testing::ElementsAre("o.note", "C.x", "shop.orders", "shop.Items", "i.order id",
                                                  "o.id", "o.n"));
}

TEST(select_facts, only_the_outermost_order_counts) {
  EXPECT_TRUE(facts_of_select("SELECT 1 FROM s.t ORDER BY 1").is_ordered);
  EXPECT_FALSE(facts_of_select("SELECT * FROM (SELECT 1 FROM s.t ORDER BY 1) x").is_ordered);
  EXPECT_FALSE(facts_of_select("SELECT rank() OVER (ORDER BY a) FROM s.t").is_ordered);
}

TEST(select_facts, equal_rows_give_equal_answers_here) {
  for (auto const* sql :
       {"SELECT * FROM s.t WHERE id = $1", "SELECT count(*), max(a) FROM s.t",
        "SELECT a FROM s.t ORDER BY a LIMIT 3", "SELECT lower(name), pg_catalog.upper(name) FROM s.t",
        "SELECT 'now()', \"now\" FROM s.t", "SELECT t.now, t.limit FROM s.t t", "SELECT DISTINCT a FROM s.t",
        "SELECT * FROM (SELECT a FROM s.t ORDER BY a FETCH FIRST 2 ROWS ONLY) x"})
    EXPECT_EQ(facts_of_select(sql).not_comparable, "") << sql;
}

TEST(select_facts, says_what_depends_on_moment_node_or_chance) {
  for (auto const* sql :
       {"SELECT now()", "SELECT random() FROM s.t", "SELECT CURRENT_TIMESTAMP",
        "SELECT a FROM s.t WHERE at > current_date", "SELECT pg_catalog.clock_timestamp()",
        "SELECT s.f(a) FROM s.t", "SELECT pg_backend_pid()", "SELECT t.ctid FROM s.t t",
        "SELECT xmin FROM s.t", "SELECT a FROM s.t LIMIT 1", "SELECT a FROM s.t OFFSET 1",
        "SELECT a FROM s.t FETCH FIRST ROW ONLY", "SELECT * FROM (SELECT a FROM s.t LIMIT 1) x ORDER BY a",
        "SELECT a FROM s.t TABLESAMPLE system (1)", "SELECT DISTINCT ON (a) a, b FROM s.t",
        "SELECT nextval('s.q')", "SELECT gen_random_uuid()"})
    EXPECT_NE(facts_of_select(sql).not_comparable, "") << sql;
}

}  // namespace
