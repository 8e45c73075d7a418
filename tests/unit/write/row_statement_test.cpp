#include "shardway/write/row_statement.hpp"

#include <gtest/gtest.h>

#include "support/value_of.hpp"

namespace {

using namespace shardway;
using shardway_test::value_of;

table_state orders() {
  table_state table;
  table.manifest.table = "shop.or\"ders";
  table.manifest.key = {"id"};
  table.manifest.shard_key = {"customer_id"};
  table.columns = {{"id", "bigint", false, true},
                   {"customer_id", "bigint", false, true},
                   {"No te", "text", false, false},
                   {"doubled", "numeric", true, false}};
  return table;
}

TEST(row_statements, insert_names_the_columns_given_in_the_tables_order) {
  auto const made = value_of(make_row_statement(orders(), row_operation::insert,
                                                {{"No te", "x"}, {"id", "1"}, {"customer_id", "7"}}));
  EXPECT_EQ(made.sql,
            "INSERT INTO \"shop\".\"or\"\"ders\" AS shardway_target (\"id\", \"customer_id\", \"No te\") "
            "VALUES ($1, $2, $3)");
  EXPECT_EQ(made.parameters, (std::vector<text_value>{"1", "7", "x"}));
  EXPECT_EQ(made.key, shard_key{7});
}

TEST(row_statements, upsert_updates_neither_key_and_only_under_the_same_shard_key) {
  auto const made = value_of(make_row_statement(
      orders(), row_operation::upsert, {{"id", "1"}, {"customer_id", "7"}, {"No te", std::nullopt}}));
  EXPECT_TRUE(
      made.sql.ends_with(" ON CONFLICT (\"id\") DO UPDATE SET \"No te\" = excluded.\"No te\" WHERE "
                         "shardway_target.\"customer_id\" = excluded.\"customer_id\""))
      << made.sql;
  auto const bare =
      value_of(make_row_statement(orders(), row_operation::upsert, {{"id", "1"}, {"customer_id", "7"}}));
  EXPECT_NE(bare.sql.find("DO UPDATE SET \"id\" = excluded.\"id\" WHERE"), std::string::npos) << bare.sql;
}

TEST(row_statements, update_and_erase_name_the_row_by_both_keys) {
  auto const update = value_of(make_row_statement(orders(), row_operation::update,
                                                  {{"id", "1"}, {"customer_id", "7"}, {"No te", "x"}}));
  EXPECT_EQ(update.sql,
            "UPDATE \"shop\".\"or\"\"ders\" SET \"No te\" = $3 WHERE \"id\" = $1 AND \"customer_id\" = $2");
  auto const erase =
      value_of(make_row_statement(orders(), row_operation::erase, {{"id", "1"}, {"customer_id", "7"}}));
  EXPECT_EQ(erase.sql, "DELETE FROM \"shop\".\"or\"\"ders\" WHERE \"id\" = $1 AND \"customer_id\" = $2");
}

TEST(row_statements, what_is_wrong_is_said_with_the_columns_name_and_never_its_value) {
  struct wrong {
    row_operation operation;
    row_values row;
    error_code code;
    std::string column;
  };
  for (auto const& one : std::vector<wrong>{
           {row_operation::insert, {{"id", "1"}}, error_code::shard_key_missing, "customer_id"},
           {row_operation::insert,
            {{"id", "1"}, {"customer_id", std::nullopt}},
            error_code::shard_key_missing,
            "customer_id"},
           {row_operation::insert, {{"customer_id", "secret"}}, error_code::invalid_argument, "customer_id"},
           {row_operation::insert,
            {{"customer_id", "7"}, {"doubled", "secret"}},
            error_code::invalid_argument,
            "doubled"},
           {row_operation::insert,
            {{"customer_id", "7"}, {"nothing", "secret"}},
            error_code::invalid_argument,
            "nothing"},
           {row_operation::insert,
            {{"customer_id", "7"}, {"id", "1"}, {"id", "secret"}},
            error_code::invalid_argument,
            "id"},
           {row_operation::upsert, {{"customer_id", "7"}}, error_code::invalid_argument, "id"},
           {row_operation::update,
            {{"customer_id", "7"}, {"id", "1"}},
            error_code::invalid_argument,
            "column"},
           {row_operation::erase,
            {{"customer_id", "7"}, {"id", "1"}, {"No te", "secret"}},
            error_code::invalid_argument,
            "No te"}}) {
    auto const made = make_row_statement(orders(), one.operation, one.row);
    ASSERT_FALSE(made) << one.column;
    EXPECT_EQ(made.error().code(), one.code) << made.error().to_string();
    EXPECT_NE(made.error().message().find(one.column), std::string::npos) << made.error().message();
    EXPECT_EQ(made.error().to_string().find("secret"), std::string::npos) << made.error().to_string();
  }
}

}  // namespace
