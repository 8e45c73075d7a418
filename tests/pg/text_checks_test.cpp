// Keys, encodings and values of newer servers: what preflight says of them, and what verification compares.
#include "lib/migrate/preflight/text_checks.hpp"

#include <gmock/gmock.h>

#include "lib/migrate/verify/sql.hpp"
#include "nodes.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;
using namespace migrate::preflight;
using ::testing::HasSubstr;

using strings = std::vector<std::string>;

class text_checks : public on_version {
 protected:
  void SetUp() override {
    own = open();
    require(own->simple(
        "SET client_min_messages = error; DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop"));
  }
  std::vector<finding> check(session& link, int newest_shard) {
    std::vector<finding> out;
    context const source{migration, tables, options, out, &link, "source", node_role::source};
    check_encoding(source);
    check_text(source, newest_shard);
    return out;
  }
  static finding const* find(std::vector<finding> const& list, std::string const& id,
                             std::string const& says) {
    for (auto const& one : list)
      if (one.id == id && (one.subject + ": " + one.what).find(says) != std::string::npos) return &one;
    return nullptr;
  }
  void add(std::string const& name) {
    tables.emplace_back();
    tables.back().table = name;
  }
  // A database of another encoding, and a session on it.
  std::unique_ptr<session> in_database(std::string const& name, std::string const& encoding) {
    require(node().query("DROP DATABASE IF EXISTS " + name));
    require(node().query("CREATE DATABASE " + name + " ENCODING '" + encoding +
                         "' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"));
    return value_of(connect({.node = "source", .conninfo = node().conninfo(name)}));
  }

  std::unique_ptr<session> own;
  migration_manifest migration;
  std::vector<table_manifest> tables;
  preflight_options options;
};
INSTANTIATE_TEST_SUITE_P(servers, text_checks, ::testing::Values(13, 15),
                         ::testing::PrintToStringParamName());

TEST_P(text_checks, AP20_keys_of_several_texts_are_refused_and_the_way_out_is_sql) {
  require(
      own->simple("CREATE DOMAIN shop.share AS numeric; CREATE TABLE shop.by_number (id numeric PRIMARY "
                  "KEY); CREATE TABLE "
                  "shop.by_share (id shop.share PRIMARY KEY); CREATE TABLE shop.by_span (id interval PRIMARY "
                  "KEY); CREATE "
                  "TABLE shop.by_price (id money PRIMARY KEY); CREATE TABLE shop.by_range (id int4range "
                  "PRIMARY KEY); CREATE "
                  "TABLE shop.good (a boolean, b character(3), c timestamptz, d inet, n numeric, PRIMARY KEY "
                  "(a, b, c, d))"));
  for (auto const* name : {"by_number", "by_share", "by_span", "by_price", "by_range", "good"})
    add(std::string("shop.") + name);
  for (auto const& one : check(*own, 150010)) {
    if (one.id != "key_type") continue;
    EXPECT_EQ(one.level, finding_level::fail) << one.subject;
    EXPECT_THAT(one.subject, ::testing::Not(HasSubstr("good")));
    auto const ran = own->simple(one.fix);
    EXPECT_TRUE(ran) << one.fix << ": " << ran.error().server_detail();
  }
  auto const mended = check(*own, 150010);
  ASSERT_TRUE(find(mended, "key_type", "each value has one text"));
}

TEST_P(text_checks, AP20_a_key_under_a_collation_that_is_not_deterministic_is_refused) {
  auto const made = own->simple(
      "CREATE COLLATION shop.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
  require(made);
  require(own->simple("CREATE TABLE shop.named (name text COLLATE shop.loose PRIMARY KEY)"));
  add("shop.named");
  auto const list = check(*own, 150010);
  auto const* const found = find(list, "key_collation", "not deterministic");
  ASSERT_TRUE(found);
  require(own->simple(found->fix));
  EXPECT_FALSE(find(check(*own, 150010), "key_collation", ""));
}

TEST_P(text_checks, AS18_columns_that_newer_shards_guard_are_named) {
  require(own->simple("CREATE TABLE shop.sums (id bigint PRIMARY KEY, total numeric, fixed numeric(12,2))"));
  add("shop.sums");
  auto const list = check(*own, 150010);
  auto const* const found = find(list, "newer_values", "");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->level, finding_level::pass);
  EXPECT_THAT(found->what, GetParam() < 14 ? HasSubstr("\"total\"") : HasSubstr("no column"));
  EXPECT_THAT(found->what, ::testing::Not(HasSubstr("fixed")));
}

TEST_P(text_checks, AS11_encodings_other_than_utf8_are_refused) {
  auto const here = check(*own, 150010);
  ASSERT_TRUE(find(here, "encoding", "UTF8"));
  for (auto const* encoding : {"LATIN1", "SQL_ASCII"}) {
    auto const link = in_database("other", encoding);
    auto const list = check(*link, 150010);
    auto const* const found = find(list, "encoding", encoding);
    ASSERT_TRUE(found) << encoding;
    EXPECT_EQ(found->level, finding_level::fail);
    EXPECT_FALSE(found->fix.empty());
  }
}

TEST_P(text_checks, AS11_a_source_in_latin1_has_the_same_sums) {
  auto const latin = in_database("latin", "LATIN1");
  table_state notes;
  notes.manifest.table = "shop.notes";
  notes.manifest.kind = table_kind::reference;
  notes.manifest.key = {"id"};
  notes.columns = {{"id", "text", false, true}, {"note", "text", false, false}};
  std::vector<strings> sums, bounds;
  require(latin->simple("CREATE SCHEMA shop"));
  for (auto* link : {latin.get(), own.get()}) {
    require(link->simple(
        "CREATE TABLE shop.notes (id text PRIMARY KEY, note text); INSERT INTO shop.notes VALUES "
        "(E'\\u00e9t\\u00e9', E'd\\u00e9j\\u00e0 vu \\u00ff'), ('z', NULL), (E'\\u00c5', 'plain')"));
    auto const found =
        value_of(link->query(migrate::verify::sums_statement(notes, {}, {.first = 1, .second = 2}, {})));
    sums.push_back(
        {std::string(found.text(0, 0)), std::string(found.text(0, 1)), std::string(found.text(0, 2))});
    auto const keys = value_of(link->query({migrate::verify::bounds_sql(notes, 1)}));
    bounds.emplace_back();
    for (std::size_t i = 0; i < keys.size(); ++i) bounds.back().emplace_back(keys.text(i, 0));
  }
  EXPECT_EQ(sums[0][0], "3");
  EXPECT_EQ(sums[0], sums[1]);
  EXPECT_EQ(bounds[0], bounds[1]);
  EXPECT_EQ(bounds[0].size(), 3u);
}

}  // namespace
