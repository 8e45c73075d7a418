// The statements of a mirror, without a server.
#include <gtest/gtest.h>

#include "lib/migrate/stream/mirror/sql.hpp"

namespace {

using namespace shardway;
using namespace shardway::migrate::stream;

stream_value value(std::string text) { return {stream_value::kind_type::text, std::move(text)}; }
stream_value const unchanged{stream_value::kind_type::unchanged, {}};

class mirror_sql : public ::testing::Test {
 protected:
  mirror_sql() {
    table_.id = 5;
    table_.state.manifest.table = "shop.orders";
    table_.sent = {
        {"id", "bigint", false, true}, {"customer", "bigint", false, true}, {"note", "text", false, false}};
    table_.key = {0};
    table_.shard_key = {1};
  }
  followed_table table_;
};

// S23
TEST_F(mirror_sql, an_insert_takes_over_only_a_row_with_the_same_shard_key) {
  auto const made = mirror_insert_statement(table_, {value("7"), value("3"), {}});
  EXPECT_EQ(
      made.sql,
      "INSERT INTO \"shop\".\"orders\" AS t (\"id\", \"customer\", \"note\") OVERRIDING SYSTEM VALUE VALUES "
      "($1::bigint, $2::bigint, $3::text) ON CONFLICT (\"id\") DO UPDATE SET \"customer\" = "
      "excluded.\"customer\", \"note\" = excluded.\"note\" WHERE t.\"customer\" = excluded.\"customer\"");
  EXPECT_EQ(made.parameters, (std::vector<text_value>{"7", "3", std::nullopt}));
}

// S8, S23
TEST_F(mirror_sql, an_update_leaves_alone_what_did_not_change) {
  stream_tuple const row{value("7"), value("3"), value("old")};
  auto const made = mirror_update_statement(table_, row, {value("7"), value("3"), value("new")});
  EXPECT_EQ(made.sql,
            "UPDATE \"shop\".\"orders\" AS t SET \"note\" = $1::text WHERE t.\"id\" = $2::bigint AND "
            "t.\"customer\" = $3::bigint");
  auto const same = mirror_update_statement(table_, row, {value("7"), value("3"), unchanged});
  EXPECT_EQ(same.sql,
            "UPDATE \"shop\".\"orders\" AS t SET \"id\" = t.\"id\" WHERE t.\"id\" = $1::bigint AND "
            "t.\"customer\" = $2::bigint");
}

TEST_F(mirror_sql, a_delete_names_primary_and_shard_key) {
  auto const made = mirror_delete_statement(table_, {value("7"), value("3"), {}});
  EXPECT_EQ(
      made.sql,
      "DELETE FROM \"shop\".\"orders\" AS t WHERE t.\"id\" = $1::bigint AND t.\"customer\" = $2::bigint");
}

// AP10
TEST_F(mirror_sql, the_holder_of_a_value_counts_only_where_the_source_has_authority) {
  table_.state.manifest.group = "sales";
  auto const made = mirror_holder_statement(table_, {value("7"), value("3"), {}}, key_expressions(table_));
  EXPECT_TRUE(made.sql.starts_with("SELECT max(shardway.slot_of(t.\"customer\")) FILTER (WHERE NOT ("));
  EXPECT_TRUE(
      made.sql.ends_with(" FROM \"shop\".\"orders\" AS t WHERE ROW(\"id\") = (SELECT ROW(\"id\") FROM "
                         "(SELECT $1::bigint AS \"id\", $2::bigint AS \"customer\", $3::text AS "
                         "\"note\") AS i)"));
}

// AP20
TEST_F(mirror_sql, a_key_whose_equality_is_not_identity_is_written_too) {
  table_.sent[0].type = "numeric";
  EXPECT_NE(mirror_insert_statement(table_, {value("7.0"), value("3"), {}})
                .sql.find("SET \"id\" = excluded.\"id\""),
            std::string::npos);
}

TEST_F(mirror_sql, the_version_column_of_the_shard_stays_there) {
  stream_relation relation;
  relation.columns = {{.name = "customer"}, {.name = "shardway_version"}, {.name = "id"}, {.name = "note"}};
  EXPECT_EQ(sent_tuple(table_, relation, {value("3"), value("99"), value("7"), value("n")}),
            (stream_tuple{value("7"), value("3"), value("n")}));
}

}  // namespace
