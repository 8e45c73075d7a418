// Every way out that the doctor prints is text that somebody pastes: SQL must parse on a server, manifest
// text in a manifest.
#pragma once

#include <functional>
#include <sstream>

#include <gtest/gtest.h>

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

inline void expect_manifest_text(std::string const& line) {
  auto const text = line.substr(line.find(": ") + 2);
  auto const file = shardway::parse_table_manifest(manifest_with(text), "fix");
  for (auto const& finding : file.findings)
    ADD_FAILURE() << line << ": " << finding.code << ' ' << finding.message;
}

/// Runs the statement in a transaction that is rolled back. It may fail by what is or is not there, and not
/// by its grammar.
inline void expect_sql(shardway::session& node, std::string const& line) {
  if (line.starts_with("SELECT pg_terminate_backend")) return;  // no rollback gives it back
  ASSERT_TRUE(node.query({"BEGIN"}));
  auto const done = node.simple(line);
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
      bool const is_manifest = line.starts_with("in the manifest of ");
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
