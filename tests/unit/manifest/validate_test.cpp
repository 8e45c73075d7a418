#include <gmock/gmock.h>

#include <functional>

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

TEST(validate_table, each_rule_has_its_code) {
  broken_table const cases[] = {
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
      {"M009", [](auto& t) { t.kind = table_kind::reference; t.ids = id_strategy_kind::external; }},
      {"M010", [](auto& t) { t.shard_key.clear(); }},
      {"M011", [](auto& t) { t.shard_key = {"a", "b", "c", "d", "e"}; }},
      {"M012", [](auto& t) { t.key.clear(); }},
      {"M013", [](auto& t) { t.budget = 0ms; }},
      {"M013", [](auto& t) { t.budget = 60001ms; }},
      {"M014", [](auto& t) { t.id_stride = 1; }},
      {"M014", [](auto& t) { t.id_stride = 4097; }},
      {"M015", [](auto& t) { t.kind = table_kind::reference; t.shard_key.clear(); }},
  };
  EXPECT_THAT(validate(orders()), IsEmpty());
  for (auto const& [code, spoil] : cases) {
    auto table = orders();
    spoil(table);
    EXPECT_THAT(codes(validate(table)), ElementsAre(code));
  }
}

TEST(validate_table, hostile_names_that_postgresql_allows_are_allowed) {
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
      {"M022", [](auto& m) { m.name = std::string(31, 'a'); }},
      {"M023", [](auto& m) { m.shards.clear(); }},
      {"M024", [](auto& m) { m.mirror_role = m.application_role; }},
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
  for (auto const* conninfo : {"host=a password=", "host=a\tpassword\t=\tb", "host='a b' password='it\\'s'", "password=x host=a"}) {
    auto one = migration();
    one.source.conninfo = conninfo;
    EXPECT_THAT(codes(validate(one)), ElementsAre("M017")) << conninfo;
  }
  auto one = migration();
  one.source.conninfo = "host=a application_name='password=x'";
  EXPECT_THAT(validate(one), IsEmpty());
}

TEST(validate, everything_wrong_is_reported_at_once_with_positions) {
  auto const file = parse_table_manifest(
      "api_version: 2\ntable: \"orders\"\ngroup: \"Sales\"\nshard_key: \"a\"\nshard_key: \"a\"\ndual_write {\n  budget_ms: 0\n}\nids { stride: 1 }\n", "f");
  EXPECT_THAT(codes(file.findings), UnorderedElementsAre("M002", "M003", "M007", "M008", "M012", "M013", "M014"));
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

table_file table(std::string text, std::string file) { return parse_table_manifest("api_version: 1 " + text, std::move(file)); }

TEST(validate_set, rules_across_files) {
  auto const whole = parse_migration_manifest(shardway_test::migration_text, "m");
  std::vector<table_file> const tables{
      table(R"(table: "s.a" group: "g" shard_key: "c" key: "id")", "a"),
      table(R"(table: "s.a" group: "g" shard_key: "c" key: "id")", "a2"),
      table(R"(table: "s.b" group: "g" shard_key: "c" shard_key: "d" key: "id")", "b"),
      table(R"(table: "s.c" group: "g" kind: REFERENCE key: "id")", "c"),
      table(R"(table: "s.d" group: "h" shard_key: "x" key: "id" ids { strategy: INTERLEAVED stride: 2 })", "d"),
      table(R"(table: "s.e" group: "h" shard_key: "other_name" key: "id" ids { strategy: INTERLEAVED stride: 3 })", "e"),
  };
  auto const found = validate_set(whole, tables);
  EXPECT_THAT(codes(found), ElementsAre("M026", "M028", "M027", "M016"));
  EXPECT_EQ(found[0].file, "a2");
  EXPECT_EQ(found[3].file, "d");
  EXPECT_THAT(validate_set(whole, std::span{tables}.last(1)), IsEmpty());
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
