#include "lib/sql/statement_facts.hpp"

#include <gmock/gmock.h>

namespace {

using namespace shardway;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(statement_facts, of_an_insert_are_its_columns_row_by_row) {
  auto const facts = facts_of(
      "INSERT INTO shop.orders (id, \"Customer\", note) VALUES ($1, $2::bigint, now()), (7, 'a', $3 || 'x') "
      "ON CONFLICT (id) DO UPDATE SET note = 'x' RETURNING *");
  EXPECT_TRUE(facts.are_tables_known);
  EXPECT_THAT(facts.written, ElementsAre("shop.orders"));
  EXPECT_EQ(facts.rows, 2U);
  EXPECT_THAT(facts.bound, ElementsAre(bound_column{"id", 0, 1, ""}, bound_column{"Customer", 0, 2, ""},
                                       bound_column{"id", 1, 0, "7"}, bound_column{"Customer", 1, 0, "a"}));
}

TEST(statement_facts, of_a_condition_are_its_equalities_outside_parentheses) {
  auto const facts = facts_of(
      "UPDATE shop.orders AS o SET note = $1, customer_id = $9 WHERE o.customer_id = $2::bigint AND $3 = id "
      "AND (x = $4 OR y = $5) AND z > $6 RETURNING id");
  EXPECT_EQ(facts.rows, 1U);
  EXPECT_THAT(facts.bound, ElementsAre(bound_column{"customer_id", 0, 2, ""}, bound_column{"id", 0, 3, ""}));
  EXPECT_THAT(facts_of("DELETE FROM shop.orders WHERE customer_id = 42;").bound,
              ElementsAre(bound_column{"customer_id", 0, 0, "42"}));
}

TEST(statement_facts, tell_no_key_where_one_is_not_certain) {
  for (auto const* sql :
       {"DELETE FROM shop.orders WHERE customer_id = $1 OR id = $2",
        "DELETE FROM shop.orders WHERE customer_id = $1 + 1",
        "DELETE FROM shop.orders WHERE customer_id = ANY ($1)",
        "DELETE FROM shop.orders WHERE NOT customer_id = $1",
        "DELETE FROM shop.orders WHERE customer_id = 'it''s'", "DELETE FROM shop.orders",
        "INSERT INTO shop.orders SELECT $1, $2", "INSERT INTO shop.orders (id, customer_id) SELECT $1, $2",
        "INSERT INTO shop.orders VALUES ($1, $2)",
        "SELECT 1 FROM a.b WHERE customer_id = $1 UNION SELECT 2 FROM a.b"})
    EXPECT_THAT(facts_of(sql).bound, IsEmpty()) << sql;
}

TEST(statement_facts, name_all_tables_that_are_written) {
  auto const facts = facts_of(
      "WITH gone AS (DELETE FROM shop.items WHERE order_id = $1 RETURNING *) INSERT INTO shop.archive SELECT "
      "* FROM gone");
  EXPECT_TRUE(facts.are_tables_known);
  EXPECT_THAT(facts.written, ElementsAre("shop.items", "shop.archive"));
  EXPECT_EQ(facts.rows, 0U);
  EXPECT_FALSE(facts_of("CALL shop.place($1)").are_tables_known);
  EXPECT_FALSE(facts_of("TRUNCATE shop.orders").are_tables_known);
  EXPECT_FALSE(facts_of("DELETE FROM a.b; DELETE FROM a.c").are_tables_known);
  EXPECT_FALSE(facts_of("DELETE FROM a.b WHERE x = 'open").are_tables_known);
}

TEST(statement_facts, name_what_is_read_with_its_schema) {
  auto const facts = facts_of(
      "SELECT * FROM shop.orders o JOIN shop.items AS i USING (id) LEFT JOIN local x ON true WHERE "
      "o.customer_id = $1 FOR UPDATE");
  EXPECT_EQ(facts.kind, statement_kind::locking_select);
  EXPECT_THAT(facts.written, IsEmpty());
  EXPECT_THAT(facts.read, ElementsAre("shop.orders", "shop.items"));
  EXPECT_THAT(facts.bound, ElementsAre(bound_column{"customer_id", 0, 1, ""}));
}

}  // namespace
