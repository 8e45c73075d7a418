// What a statement is, and how it is taken apart.
#include "lib/sql/statement_lexer.hpp"

#include <gtest/gtest.h>

namespace {

using namespace shardway;
using operation = captured_statement::operation_type;

table_state orders() {
  table_state table;
  table.manifest.table = "shop.orders";
  table.columns = {{.name = "id", .type = "bigint"}, {.name = "total", .type = "numeric"}};
  return table;
}

captured_statement captured(std::string_view sql) {
  auto const lexed = lex_statement(sql);
  EXPECT_EQ(lexed.kind, statement_kind::change) << sql << ": " << lexed.why;
  return capture_of(lexed, sql, orders());
}

TEST(statement_lexer, takes_an_insert_apart) {
  auto const one = captured("INSERT INTO shop.orders (id, total) VALUES ($1, $2) RETURNING id;");
  EXPECT_EQ(one.operation, operation::insert);
  EXPECT_EQ(one.body, "INSERT INTO shop.orders (id, total) VALUES ($1, $2) ");
  EXPECT_EQ(one.alias, "orders");
  EXPECT_EQ(one.returning, " id");
  EXPECT_EQ(one.parameter_count, 2U);
}

TEST(statement_lexer, knows_aliases_as_written) {
  EXPECT_EQ(captured("insert into shop.orders as \"O\" (id) values (1)").alias, "\"O\"");
  EXPECT_EQ(captured("UPDATE shop.orders o SET total = 1").alias, "o");
  EXPECT_EQ(captured("UPDATE shop.orders AS o SET total = 1").alias, "o");
  EXPECT_EQ(captured("UPDATE shop.orders SET total = 1").alias, "orders");
  EXPECT_EQ(captured("DELETE FROM shop.orders USING shop.x WHERE true").alias, "orders");
  EXPECT_EQ(captured("DELETE FROM shop.orders o").alias, "o");
  EXPECT_EQ(captured("DELETE FROM shop.orders").alias, "orders");
  EXPECT_EQ(captured("INSERT INTO shop.\"orders\" DEFAULT VALUES").alias, "\"orders\"");
}

TEST(statement_lexer, folds_the_target_as_the_server_does) {
  EXPECT_EQ(lex_statement("UPDATE Shop.ORDERS SET total = 1").table, "shop.orders");
  EXPECT_EQ(lex_statement("UPDATE \"Shop\".\"a\"\"b\" SET total = 1").table, "Shop.a\"b");
  EXPECT_EQ(lex_statement("UPDATE shop . /* here */ orders SET total = 1").table, "shop.orders");
  EXPECT_EQ(lex_statement("DELETE FROM orders").table, "orders");
}

TEST(statement_lexer, writes_a_star_out) {
  EXPECT_EQ(captured("DELETE FROM shop.orders RETURNING *").returning, " orders.\"id\", orders.\"total\"");
  EXPECT_EQ(captured("DELETE FROM shop.orders o RETURNING 1, o.*, total * 2, (SELECT count(*) FROM shop.x)")
                .returning,
            " 1, o.\"id\", o.\"total\", total * 2, (SELECT count(*) FROM shop.x)");
}

TEST(statement_lexer, is_not_fooled_by_what_strings_and_comments_hold) {
  auto const one = captured(
      "-- it's; RETURNING\nUPDATE shop.orders SET total = 'a;b RETURNING ''x' /* $9 /* nested; */ */ WHERE "
      "id = $1 AND "
      "note = E'\\'; DELETE' AND tag = $x$ ; RETURNING $7 $x$ AND \"returning\" = 1 -- end;");
  EXPECT_EQ(one.parameter_count, 1U);
  EXPECT_EQ(one.returning, "");
  EXPECT_TRUE(one.body.ends_with("\"returning\" = 1"));
}

TEST(statement_lexer, a_label_named_returning_is_no_clause) {
  auto const one = captured("INSERT INTO shop.orders (id) SELECT 1 AS returning FROM shop.x RETURNING id");
  EXPECT_EQ(one.body, "INSERT INTO shop.orders (id) SELECT 1 AS returning FROM shop.x ");
}

TEST(statement_lexer, an_upsert_is_one_change) {
  EXPECT_EQ(
      captured(
          "INSERT INTO shop.orders (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET total = excluded.total")
          .operation,
      operation::insert);
}

class refused : public testing::TestWithParam<char const*> {};  // PREPARE TRANSACTION among them (W15)
TEST_P(refused, is_other) {
  auto const lexed = lex_statement(GetParam());
  EXPECT_EQ(lexed.kind, statement_kind::other) << GetParam();
  EXPECT_STRNE(lexed.why, "");
}
INSTANTIATE_TEST_SUITE_P(
    statements, refused,
    testing::Values(
        "", "  -- nothing", ";", "WITH x AS (INSERT INTO shop.orders VALUES (1) RETURNING *) SELECT * FROM x",
        "WITH x AS (SELECT 1) UPDATE shop.orders SET total = 1",
        "MERGE INTO shop.orders USING x ON true WHEN MATCHED THEN DELETE", "COPY shop.orders FROM STDIN",
        "TRUNCATE shop.orders", "CALL f()", "DO $$ BEGIN END $$",
        "DELETE FROM shop.orders; DELETE FROM shop.orders", "SELECT 1; SELECT 2",
        "SELECT * INTO shop.x FROM shop.orders", "INSERT INTO shop.orders SELECT 'a",
        "DELETE FROM shop.orders /* open", "DELETE FROM ONLY shop.orders",
        "UPDATE ONLY shop.orders SET total = 1", "INSERT INTO a.b.c VALUES (1)",
        "INSERT INTO U&\"orders\" VALUES (1)", "DELETE FROM shop.orders RETURNING WITH (OLD AS o) o.id",
        "BEGIN", "SET x = 1", "EXPLAIN ANALYZE DELETE FROM shop.orders",
        "DELETE FROM shop.orders WHERE id IN (SELECT 1))", "DELETE FROM shop.orders WHERE id IN (SELECT 1",
        "DELETE FROM shop.orders WHERE (", "UPDATE shop.orders SET total = tags[1;", "SELECT (1",
        "PREPARE TRANSACTION 'x'", "LOCK TABLE shop.orders"));

TEST(statement_lexer, tells_reads_from_locking_reads) {
  for (auto const* sql : {"SELECT 1", "(SELECT 1) UNION SELECT 2", "VALUES (1)", "TABLE shop.orders",
                          "WITH x AS (SELECT 1) SELECT * FROM x", "SELECT substring('for update' for 2)"})
    EXPECT_EQ(lex_statement(sql).kind, statement_kind::select) << sql;
  for (auto const* sql :
       {"SELECT 1 FROM shop.orders FOR UPDATE", "select 1 from shop.orders for no key update skip locked",
        "SELECT 1 FROM shop.orders FOR SHARE", "WITH x AS (SELECT 1) SELECT * FROM x FOR UPDATE",
        "SELECT * FROM (SELECT 1 FROM shop.orders FOR KEY SHARE) a"})
    EXPECT_EQ(lex_statement(sql).kind, statement_kind::locking_select) << sql;
}

}  // namespace
