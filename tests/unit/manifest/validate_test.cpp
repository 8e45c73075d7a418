#include <functional>

#include <gmock/gmock.h>

#include "samples.hpp"

namespace shardway {
namespace {

using shardway_test::migration;
using shardway_test::orders;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

std::vector<std::string> codes(std::vector<manifest_finding> const& findings) {
  std::vector<std::string> all;
  for (auto const& finding : findings) {
    all.push_back(finding.code);
    EXPECT_FALSE(finding.message.empty() || finding.hint.empty()) << finding.code;
  }
  return all;
}

struct broken_table {
  char const* code;
  std::function<void(table_manifest&)> spoil;
};

table_manifest& reference(table_manifest& table) {
  table.kind = table_kind::reference;
  table.shard_key.clear();
  table.ids = id_strategy_kind::external;
  return table;
}

broken_table const broken_tables[] = {
    {"M003", [](auto& t) { t.table = "orders"; }},
    {"M003", [](auto& t) { t.table = ".orders"; }},
    {"M003", [](auto& t) { t.table = "shop.a.b"; }},
    {"M003", [](auto& t) { t.key = {""}; }},
    {"M004", [](auto& t) { t.table = "shop." + std::string(64, 'x'); }},
    {"M004", [](auto& t) { t.shard_key = {std::string(64, 'x')}; }},
    {"M005", [](auto& t) { t.key = {std::string{"a\0b", 3}}; }},
    {"M005", [](auto& t) { t.key = {"a\xC3\x28"}; }},
    {"M005", [](auto& t) { t.table = "shop.a\nb"; }},
    {"M006", [](auto& t) { t.table = "pg_catalog.pg_class"; }},
    {"M006", [](auto& t) { t.table = "shardway.outbox"; }},
    {"M007", [](auto& t) { t.group = "Sales"; }},
    {"M007", [](auto& t) { t.group = ""; }},
    {"M007", [](auto& t) { t.group = std::string(41, 'a'); }},
    {"M008", [](auto& t) { t.shard_key = {"a", "b", "a"}; }},
    {"M008", [](auto& t) { t.accept_unique = {"u", "u"}; }},
    {"M009",
     [](auto& t) {
       t.kind = table_kind::reference;
       t.ids = id_strategy_kind::external;
     }},
    {"M010", [](auto& t) { t.shard_key.clear(); }},
    {"M011", [](auto& t) { t.shard_key = {"a", "b", "c", "d", "e"}; }},
    {"M012", [](auto& t) { t.key.clear(); }},
    {"M013", [](auto& t) { t.budget = 0ms; }},
    {"M013", [](auto& t) { t.budget = 60001ms; }},
    {"M014", [](auto& t) { t.id_stride = 1; }},
    {"M014", [](auto& t) { t.id_stride = 4097; }},
    {"M015",
     [](auto& t) {
       t.kind = table_kind::reference;
       t.shard_key.clear();
     }},
    {"M015", [](auto& t) { reference(t).ids = id_strategy_kind::slot; }},
    {"M015", [](auto& t) { reference(t).ids = id_strategy_kind::leased; }},
    {"M008", [](auto& t) { t.classified_columns = {"a", "b", "a"}; }},
    {"M003", [](auto& t) { t.classified_columns = {""}; }},
    {"M008", [](auto& t) { t.lookups = {{"l", {"a", "a"}, false}}; }},
    {"M029", [](auto& t) { t.lookups = {{"L", {"a"}, false}}; }},
    {"M029", [](auto& t) { t.lookups = {{std::string(31, 'a'), {"a"}, false}}; }},
    {"M030", [](auto& t) { t.lookups = {{"l", {"a"}, false}, {"l", {"b"}, false}}; }},
    {"M031", [](auto& t) { t.lookups = {{"l", {}, false}}; }},
    {"M031", [](auto& t) { t.lookups = {{"l", {"a", "b", "c", "d", "e"}, false}}; }},
    {"M032", [](auto& t) { t.lookups = {{"l", {"a", "b"}, false}, {"m", {"b", "a"}, true}}; }},
    {"M033", [](auto& t) { t.lookups = {{"l", {"customer_id"}, false}}; }},
    {"M033",
     [](auto& t) {
       t.shard_key = {"a", "b"};
       t.lookups = {{"l", {"b", "a"}, false}};
     }},
    {"M034", [](auto& t) { reference(t).lookups = {{"l", {"a"}, false}}; }},
    {"M035", [](auto& t) { reference(t).stage_until = stage::finalized; }},
    {"M036", [](auto& t) { t.reads.from_shards_percent = 101; }},
    {"M036", [](auto& t) { t.reads.shadow_percent = 4294967295u; }},
    {"M037", [](auto& t) { t.reads.fan_out_max = 0; }},
    {"M037", [](auto& t) { t.reads.fan_out_max = 1025; }},
    {"M038", [](auto& t) { t.reads.scatter_budget = 0ms; }},
    {"M038", [](auto& t) { t.reads.scatter_budget = 60001ms; }},
    {"M039", [](auto& t) { reference(t).reads.shadow_percent = 1; }},
    {"M040", [](auto& t) { t.id_block = 0; }},
    {"M040", [](auto& t) { t.id_block = 1000001; }},
    {"M041",
     [](auto& t) {
       t.key = {"a", "b"};
       t.ids = id_strategy_kind::slot;
     }},
    {"M058", [](auto& t) { reference(t).capture = capture_kind::trigger; }},
    {"M060",
     [](auto& t) {
       t.lookups = {{"by_email", {"email"}, false}};
       t.capture = capture_kind::trigger;
     }},
    {"M070", [](auto& t) { t.accept = {{"no_such_finding", "", "why"}}; }},
    {"M071", [](auto& t) { t.accept = {{"row_security", "", ""}}; }},
    {"M071", [](auto& t) { t.accept = {{"row_security", "", " \t\n"}}; }},
};

TEST(validate_table, each_rule_has_its_code) {
  EXPECT_THAT(validate(orders()), IsEmpty());
  for (auto const& [code, spoil] : broken_tables) {
    auto table = orders();
    spoil(table);
    EXPECT_THAT(codes(validate(table)), ElementsAre(code));
  }
}

TEST(validate_table, hostile_names_that_postgresql_allows_are_allowed) {  // P1
  auto table = orders();
  table.table = "sh\"op.or'ders; DROP TABLE x --";
  table.key = {"Straße", "日本", "select"};
  EXPECT_THAT(validate(table), IsEmpty());
  table.key = {std::string(63, 'x')};
  EXPECT_THAT(validate(table), IsEmpty());
}

struct broken_migration {
  char const* code;
  std::function<void(migration_manifest&)> spoil;
};

void pin_all(migration_manifest& migration) {
  for (auto& shard : migration.shards) shard.pinned_only = true;
  migration.pins = {{{"bigint"}, {"1"}, "shard0"}, {{"bigint"}, {"2"}, "shard1"}};
}

TEST(validate_migration, each_rule_has_its_code) {
  broken_migration const cases[] = {
      {"M003", [](auto& m) { m.engine_role = ""; }},
      {"M017", [](auto& m) { m.source.conninfo += " password = 'a b'"; }},
      {"M017", [](auto& m) { m.source.replicas[0].conninfo += " sslpassword=x"; }},
      {"M018", [](auto& m) { m.source.conninfo = "postgres://u:p@h/db"; }},
      {"M018", [](auto& m) { m.source.conninfo = "host='x"; }},
      {"M018", [](auto& m) { m.source.conninfo = ""; }},
      {"M019", [](auto& m) { m.shards[0].name = "Shard 0"; }},
      {"M020", [](auto& m) { m.shards[1].name = "source"; }},
      {"M021", [](auto& m) { m.shards[1].conninfo = m.source.conninfo; }},
      {"M021", [](auto& m) { m.shards[1].conninfo = "dbname='shop' port = 5432 host=s0 sslmode=disable"; }},
      {"M042", [](auto& m) { m.source.pinned_only = true; }},
      {"M042", [](auto& m) { m.source.replicas[0].pinned_only = true; }},
      {"M043", [](auto& m) { pin_all(m); }},
      {"M044", [](auto& m) { m.pins = {{{"bigint"}, {"1"}, "source"}}; }},
      {"M045", [](auto& m) { m.pins = {{{"bigint"}, {}, "shard0"}}; }},
      {"M045",
       [](auto& m) {
         m.pins = {{std::vector<std::string>(5, "bigint"), std::vector<std::string>(5, "1"), "shard0"}};
       }},
      {"M046", [](auto& m) { m.pins = {{{"character(3)"}, {"a"}, "shard0"}}; }},
      {"M047", [](auto& m) { m.pins = {{{"smallint"}, {"40000"}, "shard0"}}; }},
      {"M047", [](auto& m) { m.pins = {{{"uuid"}, {"1"}, "shard0"}}; }},
      {"M048", [](auto& m) { m.pins = {{{"bigint"}, {"32"}, "shard0"}, {{"integer"}, {"32"}, "shard1"}}; }},
      {"M049", [](auto& m) { m.pins = {{{"bigint"}, {"32"}, "shard0"}, {{"bigint"}, {"32"}, "shard0"}}; }},
      {"M050", [](auto& m) { m.catalog = "replica1"; }},
      {"M050", [](auto& m) { m.catalog = "shard0"; }},
      {"M050", [](auto& m) { m.catalog = "nowhere"; }},
      {"M052", [](auto& m) { m.shards[0].conninfo = "dbname=a"; }},
      {"M053", [](auto& m) { m.shards[0].conninfo = "host=a"; }},
      {"M054", [](auto& m) { m.shards[0].conninfo += " port=1 port=2"; }},
      {"M055", [](auto& m) { m.shards[0].conninfo += " user=postgres"; }},
      {"M056", [](auto& m) { m.shards[0].pinned_only = true; }},
      {"M059", [](auto& m) { m.engine_role = "pg_monitor"; }},
      {"M059", [](auto& m) { m.application_role = "public"; }},
      {"M022", [](auto& m) { m.name = std::string(31, 'a'); }},
      {"M023", [](auto& m) { m.shards.clear(); }},
      {"M024", [](auto& m) { m.mirror_role = m.application_role; }},
      {"M024", [](auto& m) { m.other_application_roles = {"jobs", m.engine_role}; }},
      {"M008", [](auto& m) { m.other_application_roles = {m.application_role}; }},
      {"M008", [](auto& m) { m.other_application_roles = {"jobs", "jobs"}; }},
      {"M059", [](auto& m) { m.other_application_roles = {"public"}; }},
      {"M025", [](auto& m) { m.source.replicas[0].replicas.push_back({"replica2", "host=db3", {}}); }},
  };
  EXPECT_THAT(validate(migration()), IsEmpty());
  for (auto const& [code, spoil] : cases) {
    auto one = migration();
    spoil(one);
    EXPECT_THAT(codes(validate(one)), ElementsAre(code)) << code;
  }
}

TEST(validate_migration, a_password_hidden_by_quoting_is_found) {
  for (auto const* conninfo :
       {"host=a password=", "host=a\tpassword\t=\tb", "host='a b' password='it\\'s'", "password=x host=a"}) {
    auto one = migration();
    one.source.conninfo = std::string{"dbname=d "} + conninfo;
    EXPECT_THAT(codes(validate(one)), ElementsAre("M017")) << conninfo;
  }
  auto one = migration();
  one.source.conninfo = "host=a application_name='password=x' dbname=d";
  EXPECT_THAT(validate(one), IsEmpty());
}

TEST(validate_migration, a_service_stands_for_host_and_database) {
  auto one = migration();
  one.source.conninfo = "service=shop";
  EXPECT_THAT(validate(one), IsEmpty());
}

TEST(validate_migration, a_pinned_value_is_never_repeated) {
  auto one = migration();
  one.pins = {{{"bigint"}, {"secret7"}, "shard0"}, {{"text", "bigint"}, {"secret8"}, "x"}};
  for (auto const& finding : validate(one))
    EXPECT_EQ(finding.to_string().find("secret"), std::string::npos) << finding.to_string();
}

TEST(validate, a_field_of_a_list_of_messages_has_its_own_place) {
  auto const file = parse_table_manifest(
      "api_version: 1 table: \"s.a\" group: \"g\" shard_key: \"c\" key: \"id\"\nlookup { name: \"one\" "
      "column: \"x\" }\n"
      "lookup {\n  name: \"Two\"\n  column: \"y\"\n  column: \"y\"\n}\nlookup { name: \"three\" }\n",
      "f");
  ASSERT_THAT(codes(file.findings), ElementsAre("M029", "M008", "M031"));
  EXPECT_EQ(file.findings[0].line * 100 + file.findings[0].column, 403);
  EXPECT_EQ(file.findings[1].line * 100 + file.findings[1].column, 603) << "the second of the two";
  EXPECT_EQ(file.findings[2].line * 100 + file.findings[2].column, 801)
      << "what is not there is reported at its lookup";
  auto const pins = parse_migration_manifest(shardway_test::migration_text +
                                                 "pin { type: \"bigint\" value: \"1\" shard: \"shard0\" }\n"
                                                 "pin { type: \"bigint\"\n  value: \"a\"\n  shard: \"s\" }\n",
                                             "m");
  ASSERT_THAT(codes(pins.findings), ElementsAre("M044", "M047"));
  EXPECT_EQ(pins.findings[1].line, 20);
}

TEST(validate, everything_wrong_is_reported_at_once_with_positions) {
  auto const file = parse_table_manifest(
      "api_version: 2\ntable: \"orders\"\ngroup: \"Sales\"\nshard_key: \"a\"\nshard_key: \"a\"\ndual_write "
      "{\n  budget_ms: 0\n}\nids { stride: 1 }\n",
      "f");
  EXPECT_THAT(codes(file.findings),
              UnorderedElementsAre("M002", "M003", "M007", "M008", "M012", "M013", "M014"));
  auto const line_of = [&](std::string_view code) {
    for (auto const& finding : file.findings)
      if (finding.code == code) return finding.line * 100 + finding.column;
    return 0;
  };
  EXPECT_EQ(line_of("M002"), 101);
  EXPECT_EQ(line_of("M003"), 201);
  EXPECT_EQ(line_of("M007"), 301);
  EXPECT_EQ(line_of("M008"), 501) << "the second of the two";
  EXPECT_EQ(line_of("M013"), 703);
  EXPECT_EQ(line_of("M014"), 907);
  EXPECT_EQ(line_of("M012"), 201) << "what is not there is reported at the table's name";
}

table_file table(std::string text, std::string file) {
  return parse_table_manifest("api_version: 1 " + text, std::move(file));
}

TEST(validate_set, rules_across_files) {
  auto const whole = parse_migration_manifest(shardway_test::migration_text, "m");
  std::vector<table_file> const tables{
      table(R"(table: "s.a" group: "g" shard_key: "c" key: "id")", "a"),
      table(R"(table: "s.a" group: "g" shard_key: "c" key: "id")", "a2"),
      table(R"(table: "s.b" group: "g" shard_key: "c" shard_key: "d" key: "id")", "b"),
      table(R"(table: "s.c" group: "g" kind: REFERENCE key: "id")", "c"),
      table(R"(table: "s.d" group: "h" shard_key: "x" key: "id" ids { strategy: INTERLEAVED stride: 2 })",
            "d"),
      table(
          R"(table: "s.e" group: "h" shard_key: "other_name" key: "id" ids { strategy: INTERLEAVED stride: 3 })",
          "e"),
  };
  auto const found = validate_set(whole, tables);
  EXPECT_THAT(codes(found), ElementsAre("M026", "M028", "M027", "M016"));
  EXPECT_EQ(found[0].file, "a2");
  EXPECT_EQ(found[3].file, "d");
  EXPECT_THAT(validate_set(whole, std::span{tables}.last(1)), IsEmpty());
}

TEST(validate_set, every_node_of_a_migration_with_classified_columns_is_verified) {  // P3
  auto text = shardway_test::migration_text;
  std::vector<table_file> const tables{
      table(R"(table: "s.a" group: "g" shard_key: "c" key: "id" classified_column: "x")", "a")};
  auto const found = validate_set(parse_migration_manifest(text, "m"), tables);
  EXPECT_THAT(codes(found), ElementsAre("M051", "M051", "M051", "M051"));
  EXPECT_EQ(found[1].line, 6) << "the replica";
  for (auto at = text.find("dbname=shop"); at != std::string::npos; at = text.find("dbname=shop", at + 30))
    text.insert(at, "sslmode=verify-full ");
  auto const strict = parse_migration_manifest(text, "m");
  EXPECT_THAT(validate_set(strict, tables), IsEmpty());
}

TEST(validate_set, a_pin_fits_a_shard_key) {
  auto const pins = parse_migration_manifest(
      shardway_test::migration_text +
          R"(pin { type: "text" type: "text" value: "a" value: "b" shard: "shard0" })",
      "m");
  std::vector<table_file> const one{table(R"(table: "s.a" group: "g" shard_key: "c" key: "id")", "a")};
  std::vector<table_file> const two{
      table(R"(table: "s.a" group: "g" shard_key: "c" shard_key: "d" key: "id")", "a")};
  EXPECT_THAT(codes(validate_set(pins, one)), ElementsAre("M057"));
  EXPECT_THAT(validate_set(pins, two), IsEmpty());
}

TEST(validate_set, findings_of_the_files_are_part_of_it) {
  auto const nothing = parse_migration_manifest("api_version: 1", "m");
  std::vector<table_file> const tables{table("colour: 1", "t")};
  auto const found = validate_set(nothing, tables);
  EXPECT_GE(found.size(), 10u);
  auto const all = error_of(found);
  EXPECT_EQ(all.code(), error_code::manifest_invalid);
  for (auto const& finding : found) EXPECT_NE(all.message().find(finding.to_string()), std::string::npos);
}

}  // namespace
}  // namespace shardway
