// A key is not a place: which keys hold their place, and the SQL that asks for it.
#include "lib/protocol/place.hpp"

#include <gtest/gtest.h>

#include "lib/protocol/conflict.hpp"

namespace {

using namespace shardway;

table_state codes() {
  table_state table;
  table.manifest.table = "shop.codes";
  table.manifest.group = "sales";
  table.manifest.key = {"code"};
  table.manifest.shard_key = {"customer_id"};
  table.columns = {{"code", "text", false, true}, {"customer_id", "bigint", false, true}};
  return table;
}

TEST(place, is_in_the_key_that_holds_the_whole_shard_key) {  // AP10
  auto table = codes();
  EXPECT_FALSE(key_holds_place(table));
  table.manifest.key = {"customer_id", "code"};
  EXPECT_TRUE(key_holds_place(table));
  table.manifest.shard_key = {"customer_id", "region"};
  EXPECT_FALSE(key_holds_place(table));
  table.manifest.kind = table_kind::reference;
  EXPECT_TRUE(key_holds_place(table)) << "one node decides for all of it";
}

TEST(place, is_asked_of_the_fence_once_a_statement) {  // AP10
  EXPECT_EQ(
      outside_authority(codes(), "t."),
      "pg_catalog.width_bucket(shardway.slot_of(t.\"customer_id\"), ARRAY(SELECT e.edge FROM "
      "shardway.\"fence_sales\" AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) "
      "WHERE f.is_open ORDER BY e.edge)) % 2 = 0");
}

TEST(place, equality_of_some_types_is_not_identity) {  // AP20
  auto const exact = [](std::string type, std::string base = {}) {
    return equality_is_identity({"k", std::move(type), false, true, std::move(base)});
  };
  for (auto const* type : {"integer", "text", "character varying(7)", "uuid", "timestamp(3) with time zone",
                           "bit varying(4)", "numeric(12,2)", "\"char\""})
    EXPECT_TRUE(exact(type)) << type;
  for (auto const* type : {"numeric", "citext", "public.citext", "double precision", "real", "interval",
                           "jsonb", "numeric[]", "text[]", "int4range"})
    EXPECT_FALSE(exact(type)) << type;
  EXPECT_TRUE(exact("shop.code", "character varying(5)"));
  EXPECT_FALSE(exact("shop.amount", "numeric"));
}

TEST(conflict, is_noted_by_digest_in_place_of_an_older_note) {  // AP10
  auto const made = note_conflict_statements({.stream = "source",
                                              .relation = "shop.codes",
                                              .key = {"N0"},
                                              .slot = "7",
                                              .held_slot = "",
                                              .version = "12",
                                              .held_version = "0",
                                              .reason = "why"});
  ASSERT_EQ(made.size(), 2u);
  EXPECT_TRUE(made[0].sql.starts_with("DELETE FROM shardway.conflict"));
  EXPECT_EQ(made[0].parameters, (std::vector<text_value>{"source", "shop.codes", R"({"{\"N0\"}"})"}));
  EXPECT_NE(made[1].sql.find("pg_catalog.sha256(pg_catalog.convert_to($3::text, 'UTF8'))"),
            std::string::npos);
  EXPECT_EQ(made[1].parameters, (std::vector<text_value>{"source", "shop.codes", R"({"N0"})", "7",
                                                         std::nullopt, "12", "0", "why"}));
}

}  // namespace
