// docs/MANIFEST.md and the code name the same rules, and its examples are read.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "samples.hpp"

namespace shardway {
namespace {

std::string page() {
  std::ifstream file{DOCS_DIR "/MANIFEST.md"};
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string example(std::string const& mark) {
  auto const text = page();
  auto const from = text.find(mark);
  return text.substr(from, text.find("```", from) - from);
}

TEST(documentation, every_code_has_one_row) {
  auto const text = page();
  for (int code = 1; code <= 28; ++code) {
    auto const number = std::to_string(code);
    auto const row = "| M" + std::string(3 - number.size(), '0') + number + " |";
    auto const at = text.find(row);
    EXPECT_NE(at, std::string::npos) << row;
    EXPECT_EQ(text.find(row, at + 1), std::string::npos) << row;
  }
}

TEST(documentation, the_examples_keep_every_rule) {
  auto const migration = parse_migration_manifest(example("# migration.txtpb"), "migration.txtpb");
  std::vector<table_file> const tables{parse_table_manifest(example("# orders.txtpb"), "orders.txtpb")};
  for (auto const& finding : validate_set(migration, tables)) ADD_FAILURE() << finding.to_string();
  EXPECT_EQ(tables[0].manifest.table, "shop.orders");
  EXPECT_EQ(migration.manifest.shards.size(), 2u);
}

}  // namespace
}  // namespace shardway
