// Every way out that the doctor prints is text that somebody pastes: SQL must parse on a server, manifest
// text in a manifest.
#pragma once

#include <functional>
#include <sstream>

#include <gtest/gtest.h>

#include "lib/migrate/preflight/fix.hpp"
#include "shardway/manifest/codec.hpp"
#include "shardway/migrate/preflight/preflight.hpp"
#include "shardway/store/session.hpp"

namespace shardway_test {

/// A manifest that is right but for the text that the fix adds to it.
inline std::string manifest_with(std::string const& text) {
  std::string out = "api_version: 1\ntable: \"shop.any\"\ngroup: \"any\"\n";
  if (!text.starts_with("key: \"")) out += "key: \"id\"\n";
  return out + "shard_key: \"any_shard_key\"\n" + text + "\n";
}

inline std::string migration_manifest_with(std::string const& text) {
  return "api_version: 1\nname: \"any\"\nsource { name: \"source\" conninfo: \"host=any dbname=any\" "
         "}\nshard { name: "
         "\"shard1\" conninfo: \"host=other dbname=any\" }\napplication_role: \"app\"\nengine_role: "
         "\"engine\"\n"
         "mirror_role: \"mirror\"\n" +
         text + "\n";
}

inline void expect_no_findings(std::string const& line,
                               std::vector<shardway::manifest_finding> const& found) {
  for (auto const& finding : found) ADD_FAILURE() << line << ": " << finding.code << ' ' << finding.message;
}

inline void expect_manifest_text(std::string const& line) {
  auto const text = line.substr(line.find(": ") + 2);
  if (line.starts_with(shardway::migrate::preflight::fix::migration_line))
    expect_no_findings(line,
                       shardway::parse_migration_manifest(migration_manifest_with(text), "fix").findings);
  else
    expect_no_findings(line, shardway::parse_table_manifest(manifest_with(text), "fix").findings);
}

/// The statement of a line that is SQL, whatever node it is for.
inline std::string sql_of(std::string const& line) {
  auto const source = shardway::migrate::preflight::fix::source_line;
  return line.starts_with(source) ? line.substr(source.size()) : line;
}

/// Runs the statement in a transaction that is rolled back. It may fail by what is or is not there, and not
/// by its grammar.
inline void expect_sql(shardway::session& node, std::string const& line) {
  if (line.starts_with("SELECT pg_terminate_backend")) return;  // no rollback gives it back
  ASSERT_TRUE(node.query({"BEGIN"}));
  auto const done = node.simple(sql_of(line));
  auto const state = done ? std::string{} : done.error().sqlstate();
  EXPECT_NE(state, "42601") << line << ": " << done.error().to_string();
  ASSERT_TRUE(node.query({"ROLLBACK"}));
}

/// Looks at each line of each fix. Returns how many were SQL or manifest text.
inline int expect_fixes_parse(std::vector<shardway::finding> const& findings, std::string const& node_name,
                              shardway::session& node) {
  int count = 0;
  for (auto const& finding : findings) {
    std::istringstream lines(finding.fix);
    for (std::string line; finding.node == node_name && std::getline(lines, line);) {
      namespace fix = shardway::migrate::preflight::fix;
      bool const is_manifest = line.starts_with(fix::manifest_line) || line.starts_with(fix::migration_line);
      if (is_manifest)
        expect_manifest_text(line);
      else if (line.ends_with(";"))
        expect_sql(node, line);
      else
        continue;
      ++count;
    }
  }
  return count;
}

}  // namespace shardway_test
