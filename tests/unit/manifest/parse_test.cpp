#include <gmock/gmock.h>

#include "samples.hpp"

namespace shardway {
namespace {

using shardway_test::migration_text;
using shardway_test::orders_text;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

TEST(parse_table, reads_every_field) {
  auto const file = parse_table_manifest(orders_text, "orders.textpb");
  EXPECT_THAT(file.findings, IsEmpty());
  auto const& table = file.manifest;
  EXPECT_EQ(table.table, "shop.orders");
  EXPECT_EQ(table.group, "sales");
  EXPECT_EQ(table.kind, table_kind::sharded);
  EXPECT_EQ(table.shard_key, std::vector<std::string>{"customer_id"});
  EXPECT_EQ(table.key, std::vector<std::string>{"id"});
  EXPECT_EQ(table.stage_until, stage::sharded);
  EXPECT_EQ(table.mode, dual_write_mode::sync);
  EXPECT_EQ(table.budget, 250ms);
  EXPECT_EQ(table.ids, id_strategy_kind::interleaved);
  EXPECT_EQ(table.id_stride, 64u);
  EXPECT_EQ(table.drop_foreign_keys, std::vector<std::string>{"x_fkey"});
  EXPECT_EQ(table.accept_unique, std::vector<std::string>{"orders_number_key"});
  EXPECT_EQ(table.triggers, trigger_policy::when_authoritative);
  EXPECT_EQ(table.accept,
            (std::vector<accepted_finding>{{"row_security", "shop.orders", "policies are made by hand"}}));
}

TEST(parse_table, defaults_are_those_of_the_struct) {
  auto const file =
      parse_table_manifest(R"(api_version: 1 table: "a.b" group: "g" shard_key: "c" key: "d")", "f");
  EXPECT_THAT(file.findings, IsEmpty());
  table_manifest expected;
  expected.table = "a.b";
  expected.group = "g";
  expected.shard_key = {"c"};
  expected.key = {"d"};
  EXPECT_EQ(file.manifest, expected);
}

TEST(parse_table, external_ids_that_are_written_out_are_given_once) {
  auto const read = [](std::string const& ids) {
    return parse_table_manifest(
               "api_version: 1 table: \"a.b\" group: \"g\" shard_key: \"c\" key: \"d\" " + ids, "f")
        .manifest;
  };
  EXPECT_FALSE(read("").ids_given);
  EXPECT_FALSE(read("ids { block: 7 }").ids_given);
  EXPECT_FALSE(read("ids { strategy: LEASED }").ids_given);
  auto const given = read("ids { strategy: EXTERNAL }");
  EXPECT_TRUE(given.ids_given);
  EXPECT_EQ(given.ids, id_strategy_kind::external);
  EXPECT_THAT(print(given), HasSubstr("strategy: EXTERNAL"));
  EXPECT_EQ(parse_table_manifest(print(given), "f").manifest, given);
  EXPECT_EQ(print(read("")).find("ids"), std::string::npos);
}

TEST(parse_table, reads_a_reference_table) {
  auto const file = parse_table_manifest(
      R"(api_version: 1 table: "shop.countries" group: "lists" kind: REFERENCE key: "code" triggers: SOURCE_ONLY stage_until: REPLICATING
         dual_write { mode: ASYNC })",
      "f");
  EXPECT_THAT(file.findings, IsEmpty());
  EXPECT_EQ(file.manifest.kind, table_kind::reference);
  EXPECT_EQ(file.manifest.triggers, trigger_policy::source_only);
  EXPECT_EQ(file.manifest.stage_until, stage::replicating);
  EXPECT_EQ(file.manifest.mode, dual_write_mode::async);
  EXPECT_EQ(file.manifest.budget, 250ms);
}

TEST(parse_table, every_unknown_field_is_a_finding_with_its_place) {
  auto const file = parse_table_manifest(
      "api_version: 1\ntable: \"a.b\"\n  colour: 3\ngroup: \"g\" shard_key: \"c\" key: \"d\"\nsize { x: 1 "
      "}\n",
      "f.textpb");
  ASSERT_EQ(file.findings.size(), 2u);
  EXPECT_EQ(file.findings[0].code, "M001");
  EXPECT_EQ(file.findings[0].line, 3);
  EXPECT_THAT(file.findings[0].message, HasSubstr("colour"));
  EXPECT_EQ(file.findings[1].line, 5);
  EXPECT_THAT(file.findings[1].message, HasSubstr("size"));
}

TEST(parse_table, a_syntax_error_has_its_place_and_blames_nothing_behind_it) {
  auto const file = parse_table_manifest("api_version: 1\ntable \"a.b\"\n", "f.textpb");
  ASSERT_EQ(file.findings.size(), 1u);
  EXPECT_EQ(file.findings[0].to_string().substr(0, 18), "f.textpb:2:7: M001");
}

TEST(parse_table, unknown_values_are_refused) {
  for (auto const* text : {"stage_until: MOVED", "dual_write { mode: LATER }", "kind: 7",
                           "ids { stride: -1 }", "key: 3", "table: \"x.y\" table: \"x.z\""}) {
    auto const file = parse_table_manifest(std::string{"api_version: 1 group: \"g\" "} + text, "f");
    ASSERT_FALSE(file.findings.empty()) << text;
    EXPECT_EQ(file.findings[0].code, "M001") << text;
  }
}

TEST(parse_migration, reads_nodes_and_roles) {
  auto const file = parse_migration_manifest(migration_text, "migration.textpb");
  EXPECT_THAT(file.findings, IsEmpty());
  EXPECT_EQ(file.manifest.name, "shop");
  EXPECT_EQ(file.manifest.source.conninfo, "host=db1 dbname=shop");
  ASSERT_EQ(file.manifest.source.replicas.size(), 1u);
  EXPECT_EQ(file.manifest.source.replicas[0].name, "replica1");
  ASSERT_EQ(file.manifest.shards.size(), 2u);
  EXPECT_EQ(file.manifest.shards[1].name, "shard1");
  EXPECT_EQ(file.manifest.mirror_role, "mirror");
  EXPECT_EQ(file.manifest.other_application_roles, std::vector<std::string>{"jobs"});
}

TEST(parse_migration, a_password_is_refused_at_its_place_and_not_repeated) {  // P4
  auto text = migration_text;
  text.replace(text.find("host=s1"), 7, "host=s1 password=hunter2");
  auto const file = parse_migration_manifest(text, "m");
  ASSERT_EQ(file.findings.size(), 1u);
  EXPECT_EQ(file.findings[0].code, "M017");
  EXPECT_EQ(file.findings[0].line, 11);
  EXPECT_EQ(file.findings[0].column, 3);
  EXPECT_THAT(file.findings[0].to_string(), Not(HasSubstr("hunter2")));
}

TEST(parse_migration, a_password_in_a_syntax_error_is_not_repeated) {
  auto const file =
      parse_migration_manifest("api_version: 1 name: \"x\" source { \"host=a password=hunter2\" }", "m");
  ASSERT_FALSE(file.findings.empty());
  for (auto const& finding : file.findings) EXPECT_THAT(finding.to_string(), Not(HasSubstr("hunter2")));
}

TEST(print, reads_back_as_the_same_manifest) {
  for (auto table : {shardway_test::orders(), table_manifest{}}) {
    table.drop_foreign_keys.push_back("we\"ird\\ näme\n");
    table.budget = 17ms;
    EXPECT_EQ(parse_table_manifest(print(table), "f").manifest, table);
  }
  auto const migration = shardway_test::migration();
  EXPECT_EQ(parse_migration_manifest(print(migration), "f").manifest, migration);
  EXPECT_THAT(print(migration), HasSubstr("api_version: 1"));
}

}  // namespace
}  // namespace shardway
