// Which failing findings of the doctor a manifest accepts, and that it can name each.
#include "lib/migrate/preflight/accepted.hpp"

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "lib/manifest/finding_ids.hpp"

namespace shardway {
namespace {

using migrate::preflight::accept_findings;

finding failing(std::string id, std::string subject, std::string table = {}) {
  return {.id = std::move(id),
          .level = finding_level::fail,
          .node = "source",
          .subject = std::move(subject),
          .what = "something is wrong",
          .fix = "put it right",
          .table = std::move(table)};
}

table_manifest accepting(std::string name, std::vector<accepted_finding> accept) {
  table_manifest table;
  table.table = std::move(name);
  table.accept = std::move(accept);
  return table;
}

finding judged(finding found, std::vector<table_manifest> const& tables, migration_manifest migration = {}) {
  std::vector<finding> all{std::move(found)};
  accept_findings(all, migration, tables);
  return all.front();
}

TEST(accepted_finding, keeps_its_text_and_has_the_reason_of_the_manifest) {
  auto const found = judged(failing("ids", "shop.orders", "shop.orders"),
                            {accepting("shop.orders", {{"ids", "", "one service gives them"}})});
  EXPECT_EQ(found.level, finding_level::accepted);
  EXPECT_EQ(found.reason, "one service gives them");
  EXPECT_EQ(found.what, "something is wrong");
  EXPECT_EQ(worst({found}), finding_level::accepted);
  EXPECT_EQ(name(found.level), "accepted");
}

TEST(accepted_finding, of_a_table_covers_that_table_alone) {
  std::vector<table_manifest> const tables{accepting("shop.orders", {{"ids", "", "why"}})};
  EXPECT_EQ(judged(failing("ids", "shop.items", "shop.items"), tables).level, finding_level::fail);
  EXPECT_EQ(judged(failing("trigger", "shop.orders", "shop.orders"), tables).level, finding_level::fail);
  // A finding that names its table only in its subject.
  EXPECT_EQ(judged(failing("ids", "shop.orders.id"), tables).level, finding_level::accepted);
  EXPECT_EQ(judged(failing("ids", "audit on shop.orders"), tables).level, finding_level::accepted);
  EXPECT_EQ(judged(failing("ids", "shop.orders_old"), tables).level, finding_level::fail);
}

TEST(accepted_finding, with_a_subject_covers_that_subject_alone) {
  std::vector<table_manifest> const tables{
      accepting("shop.orders", {{"unique_without_shard_key", "orders_number", "why"}})};
  EXPECT_EQ(judged(failing("unique_without_shard_key", "orders_number", "shop.orders"), tables).level,
            finding_level::accepted);
  EXPECT_EQ(judged(failing("unique_without_shard_key", "orders_code", "shop.orders"), tables).level,
            finding_level::fail);
  EXPECT_EQ(judged(failing("unique_without_shard_key", "orders_number", "shop.items"), tables).level,
            finding_level::fail);
}

TEST(accepted_finding, of_the_migration_covers_nodes_and_tables) {
  migration_manifest migration;
  migration.accept = {{"wal_level", "", "a rehearsal"}, {"ids", "shop.items", "why"}};
  EXPECT_EQ(judged(failing("wal_level", "replica"), {}, migration).level, finding_level::accepted);
  EXPECT_EQ(judged(failing("ids", "shop.items", "shop.items"), {}, migration).level, finding_level::accepted);
  EXPECT_EQ(judged(failing("ids", "shop.orders", "shop.orders"), {}, migration).level, finding_level::fail);
}

TEST(accepted_finding, AS25_a_check_that_could_not_be_made_is_red_whatever_its_id_is_accepted_for) {
  std::vector<table_manifest> const tables{accepting("shop.orders", {{"ids", "", "why"}})};
  EXPECT_EQ(judged(failing("ids", "query", "shop.orders"), tables).level, finding_level::fail);
  // Only knowingly.
  std::vector<table_manifest> const knowing{accepting("shop.orders", {{"ids", "query", "the role may not"}})};
  EXPECT_EQ(judged(failing("ids", "query", "shop.orders"), knowing).level, finding_level::accepted);
}

TEST(accepted_finding, what_does_not_fail_stays_as_it_is) {
  auto warning = failing("ids", "shop.orders", "shop.orders");
  warning.level = finding_level::warn;
  EXPECT_EQ(judged(warning, {accepting("shop.orders", {{"ids", "", "why"}})}).level, finding_level::warn);
}

// The sources of the doctor give these ids to findings: each must be one that a manifest can name.
TEST(accepted_finding, every_id_of_the_doctor_can_be_named) {
  std::regex const given{
      "\\b(?:(?:pass|warn|fail|add)\\(|(?:ask|check_free)\\(\\s*\\w+,|object_rule\\{)\\s*"
      "\"([a-z][a-z0-9_]+)\""};
  std::set<std::string> ids;
  for (auto const& entry : std::filesystem::directory_iterator{PREFLIGHT_DIR}) {
    if (entry.path().extension() != ".cpp" || entry.path().filename() == "plan_steps.cpp") continue;
    std::stringstream text;
    text << std::ifstream{entry.path()}.rdbuf();
    auto const source = text.str();
    for (std::sregex_iterator found{source.begin(), source.end(), given}, end; found != end; ++found)
      ids.insert((*found)[1]);
  }
  EXPECT_GT(ids.size(), 25u);
  for (auto const& id : ids)
    EXPECT_TRUE(is_finding_id(id)) << id << " is missing in lib/manifest/finding_ids.cpp";
}

}  // namespace
}  // namespace shardway
