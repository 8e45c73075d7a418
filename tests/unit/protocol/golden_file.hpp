// Compares a document with its file in tests/golden/sql.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace shardway_test {

inline std::string content_of(std::string const& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

/// With the environment variable SHARDWAY_WRITE_GOLDEN, writes the file first.
inline void compare_with_golden_file(std::string const& name, std::string const& document) {
  auto const path = GOLDEN_DIR "/sql/" + name + ".sql";
  if (std::getenv("SHARDWAY_WRITE_GOLDEN")) std::ofstream(path) << document;
  EXPECT_EQ(document, content_of(path))
      << "The SQL is not that of " << path
      << ". If the change is meant, run `SHARDWAY_WRITE_GOLDEN=1 unit_protocol "
         "--gtest_filter='golden_sql*'` and read the difference.";
}

}  // namespace shardway_test
