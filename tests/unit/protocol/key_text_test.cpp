// Which types may be keys, and how their text is made.
#include "lib/protocol/key_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/protocol/capture.hpp"
#include "lib/protocol/durable_commit.hpp"
#include "lib/protocol/guarded_apply.hpp"
#include "lib/protocol/id_block.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "lib/protocol/value_guard.hpp"
#include "tests/unit/protocol/sql_samples.hpp"

namespace {

using namespace shardway_test;
using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(std::string const& type) {
  return value_text({.name = "k", .type = type, .generated = false, .not_null = true, .base_type = {}}, "t.");
}

TEST(key_text, AP2_AP9_of_types_whose_cast_is_another_text_is_not_a_cast) {
  EXPECT_EQ(text_of("bigint"), "t.\"k\"::text");
  EXPECT_EQ(text_of("boolean"), "pg_catalog.left(t.\"k\"::text, 1)");
  EXPECT_EQ(text_of("character(12)"), "CASE WHEN t.\"k\" IS NOT NULL THEN pg_catalog.concat(t.\"k\") END");
  EXPECT_EQ(text_of("inet"), "CASE WHEN t.\"k\" IS NOT NULL THEN pg_catalog.concat(t.\"k\") END");
  EXPECT_EQ(text_of("bytea"), "(E'\\\\x' OPERATOR(pg_catalog.||) pg_catalog.encode(t.\"k\", 'hex'))");
}

TEST(key_text, AP21_of_types_that_follow_settings_asks_the_session_first) {
  for (auto const* type : {"date", "timestamp(3) with time zone", "double precision", "interval"})
    EXPECT_EQ(text_of(type),
              "CASE WHEN (SELECT shardway.prints_canonically()) THEN t.\"k\"::text ELSE "
              "shardway.value_text(t.\"k\") END")
        << type;
  for (auto const* type : {"money", "bytea[]", "shop.pair", "public.citext"})
    EXPECT_EQ(text_of(type), "shardway.value_text(t.\"k\")") << type;
  EXPECT_EQ(text_of("date[]"), text_of("date"));
}

TEST(key_text, of_a_domain_is_that_of_the_type_under_it_and_of_an_enum_its_label) {
  EXPECT_EQ(value_text({"k", "shop.flag", false, true, "boolean"}, ""), "pg_catalog.left(\"k\"::text, 1)");
  EXPECT_EQ(value_text({"k", "shop.mood", false, true, "text"}, ""), "\"k\"::text");
}

TEST(key_text, of_columns_is_a_list) {
  auto const sample = events_sample();
  EXPECT_EQ(key_text_list(sample.table, {"id", "account"}, "c."), "c.\"id\"::text, c.\"account\"::text");
  EXPECT_EQ(key_text_list(sample.table, {"no such"}, "c."), "c.\"no such\"::text");
}

TEST(key_text, AP20_types_of_several_texts_are_no_keys) {
  for (auto const* type : {"bigint", "text", "character varying(9)", "character(3)", "numeric(12,2)", "uuid",
                           "boolean", "bytea", "date", "timestamp(0) without time zone", "inet", "bit(8)",
                           "integer[]", "numeric(5,1)[]", "boolean[]"})
    EXPECT_TRUE(is_key_type(type)) << type;
  for (auto const* type : {"numeric",
                           "numeric[]",
                           "real",
                           "double precision",
                           "interval",
                           "interval(3)",
                           "money",
                           "bpchar",
                           "\"char\"",
                           "jsonb",
                           "xml",
                           "public.citext",
                           "int4range",
                           "date[]",
                           "bytea[]",
                           "shop.mood[]",
                           "\"a(b\".\"c)\"",
                           "",
                           "(",
                           "[]",
                           "timestamp(3 without time zone"})
    EXPECT_FALSE(is_key_type(type)) << type;
}

TEST(names, a_literal_means_the_same_whatever_standard_conforming_strings_is) {
  EXPECT_EQ(names::literal("it's"), "'it''s'");
  EXPECT_EQ(names::literal("a\\'b"), " E'a\\\\''b'");
}

TEST(durable_commit, AP1_AL12_is_asked_for_where_others_act_on_what_is_committed) {
  auto const source = node_schema_sql(node_role::source, "source", sample_migration());
  for (auto const* table : {"shardway.outbox", "shardway.id_block"})
    EXPECT_THAT(source, HasSubstr(std::string("BEFORE INSERT OR UPDATE OR DELETE ON ") + table)) << table;
  auto const sample = mixed_case_sample();
  EXPECT_THAT(lookup_table_sql({&sample.table, &sample.table.manifest.lookups[0]}, "app"),
              HasSubstr("EXECUTE FUNCTION shardway.commit_durably()"));
  bool is_last_word = false;
  for (auto const& one : before_captured_statements())
    is_last_word |= one.sql == durable_commit_statement().sql;
  EXPECT_TRUE(is_last_word);
}

TEST(guarded_apply, AP17_AS27_reads_texts_under_settings_of_its_own) {
  auto const sql = apply_statement(write_id::make(), {}, std::chrono::milliseconds{100}).sql;
  for (auto const* setting : {"'DateStyle', 'ISO'", "'IntervalStyle', 'postgres'", "'TimeZone', 'UTC'",
                              "'lc_monetary', 'C'", "'array_nulls', 'on'", "'xmloption', 'content'"})
    EXPECT_THAT(sql, HasSubstr(setting));
}

TEST(capture, the_trigger_function_sets_nothing_but_the_search_path) {
  auto const sample = events_sample();
  auto const sql = capture_triggers_sql(sample.table, node_role::source, {});
  EXPECT_THAT(sql, Not(HasSubstr("SET DateStyle")));
  EXPECT_THAT(sql, HasSubstr("SET search_path = pg_catalog, pg_temp"));
}

TEST(value_guard, AS18_refuses_what_an_older_source_cannot_hold) {
  EXPECT_EQ(value_guard_condition("numeric", "x", 130020, 150010),
            "x <> ALL ('{Infinity,-Infinity}'::pg_catalog.numeric[])");
  EXPECT_THAT(value_guard_condition("numeric[]", "x", 130020, 180000), HasSubstr("&&"));
  EXPECT_EQ(value_guard_condition("numeric(12,2)", "x", 130020, 150010), "") << "it holds no infinity";
  EXPECT_EQ(value_guard_condition("numeric", "x", 140001, 150010), "");
  EXPECT_EQ(value_guard_condition("numeric", "x", 130020, 130020), "");
  EXPECT_EQ(value_guard_condition("interval", "x", 160000, 170000), "pg_catalog.isfinite(x)");
  EXPECT_EQ(value_guard_condition("interval(3)", "x", 130020, 180000), "pg_catalog.isfinite(x)");
  EXPECT_EQ(value_guard_condition("interval", "x", 130020, 150010), "");
  EXPECT_EQ(value_guard_condition("\"char\"", "x", 150000, 160000), "pg_catalog.octet_length(x::text) <= 1");
}

TEST(value_guard, is_one_constraint_of_a_table_or_none) {
  auto table = orders_sample().table;
  EXPECT_EQ(value_guard_sql(table, 130020, 150010), "");
  table.columns.push_back({"total", "numeric", false, false});
  table.columns.push_back({"Share", "shop.share", false, false, "numeric"});
  EXPECT_EQ(value_guard_sql(table, 130020, 150010),
            "ALTER TABLE \"shop\".\"orders\" ADD CONSTRAINT shardway_source_holds CHECK (\"total\" <> ALL "
            "('{Infinity,-Infinity}'::pg_catalog.numeric[]) AND \"Share\" <> ALL "
            "('{Infinity,-Infinity}'::pg_catalog.numeric[]));\n");
}

}  // namespace
