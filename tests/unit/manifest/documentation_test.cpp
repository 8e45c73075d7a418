// docs/MANIFEST.md, the pages in docs/manifest and the code name the same rules, and the examples are read.
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <gmock/gmock.h>

#include "samples.hpp"

namespace shardway {
namespace {

std::string content(std::filesystem::path const& path) {
  std::ifstream file{path};
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string page() { return content(DOCS_DIR "/MANIFEST.md"); }

std::string example(std::string const& mark) {
  auto const text = page();
  auto const from = text.find(mark);
  return text.substr(from, text.find("```", from) - from);
}

/// The codes that the sources of the manifest room give to findings.
std::set<std::string> codes_in_sources() {
  std::set<std::string> codes;
  std::regex const code{"\"(M[0-9]{3})\""};
  for (auto const& entry : std::filesystem::directory_iterator{SOURCE_DIR}) {
    if (entry.path().extension() != ".cpp") continue;
    auto const text = content(entry.path());
    for (std::sregex_iterator at{text.begin(), text.end(), code}, end; at != end; ++at)
      codes.insert((*at)[1]);
  }
  return codes;
}

/// The fenced blocks of a section, each a file.
std::vector<std::string> files_under(std::string const& text, std::string const& heading) {
  std::vector<std::string> files;
  auto at = text.find("\n## " + heading + "\n");
  auto const end = text.find("\n## ", at + 4);
  for (;;) {
    at = text.find("```\n", at);
    if (at >= end) return files;
    auto const close = text.find("```\n", at + 4);
    files.push_back(text.substr(at + 4, close - at - 4));
    at = close + 4;
  }
}

std::vector<manifest_finding> findings_of(std::vector<std::string> const& files) {
  auto migration = parse_migration_manifest(shardway_test::migration_text, "sample");
  std::vector<table_file> tables;
  for (auto const& text : files) {
    if (text.starts_with("# migration.txtpb"))
      migration = parse_migration_manifest(text, "migration.txtpb");
    else
      tables.push_back(parse_table_manifest(text, "table.txtpb"));
  }
  return validate_set(migration, tables);
}

TEST(documentation, every_code_has_one_row_that_leads_to_its_page) {
  auto const text = page();
  auto const codes = codes_in_sources();
  EXPECT_GE(codes.size(), 59u);
  for (auto const& code : codes) {
    auto const row = "| [" + code + "](manifest/" + code + ".md) |";
    auto const at = text.find(row);
    EXPECT_NE(at, std::string::npos) << row;
    EXPECT_EQ(text.find(row, at + 1), std::string::npos) << row;
  }
}

TEST(documentation, there_is_a_page_for_each_code_and_no_other) {
  std::set<std::string> pages;
  for (auto const& entry : std::filesystem::directory_iterator{DOCS_DIR "/manifest"})
    pages.insert(entry.path().stem());
  EXPECT_EQ(pages, codes_in_sources());
}

TEST(documentation, a_wrong_example_gives_its_code_alone_with_its_place) {
  for (auto const& code : codes_in_sources()) {
    auto const files = files_under(content(DOCS_DIR "/manifest/" + code + ".md"), "Wrong");
    ASSERT_FALSE(files.empty()) << code;
    auto const found = findings_of(files);
    EXPECT_FALSE(found.empty()) << code;
    for (auto const& finding : found) {
      EXPECT_EQ(finding.code, code) << finding.to_string();
      // What M002 misses has no place; the first line is the file's name.
      EXPECT_GT(finding.line, code == "M002" ? 0 : 1) << finding.to_string();
      EXPECT_GT(finding.column, 0) << finding.to_string();
      EXPECT_FALSE(finding.hint.empty()) << finding.to_string();
    }
  }
}

TEST(documentation, a_right_example_gives_no_finding) {
  for (auto const& code : codes_in_sources()) {
    auto const files = files_under(content(DOCS_DIR "/manifest/" + code + ".md"), "Right");
    ASSERT_FALSE(files.empty()) << code;
    for (auto const& finding : findings_of(files)) ADD_FAILURE() << code << ": " << finding.to_string();
  }
}

TEST(documentation, the_examples_keep_every_rule) {
  auto const migration = parse_migration_manifest(example("# migration.txtpb"), "migration.txtpb");
  std::vector<table_file> const tables{parse_table_manifest(example("# orders.txtpb"), "orders.txtpb")};
  for (auto const& finding : validate_set(migration, tables)) ADD_FAILURE() << finding.to_string();
  EXPECT_EQ(tables[0].manifest.table, "shop.orders");
  EXPECT_EQ(tables[0].manifest.reads.fan_out_max, 16u);
  EXPECT_EQ(migration.manifest.shards.size(), 3u);
}

}  // namespace
}  // namespace shardway
