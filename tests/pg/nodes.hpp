// One server per version for a whole test program, and sessions on it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "shardway/pg/connect.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/value_of.hpp"

namespace shardway_test {

using namespace std::chrono_literals;

inline shardway::steady_time in(std::chrono::milliseconds wait) {
  return std::chrono::steady_clock::now() + wait;
}

/// Started at first use, stopped when the program ends its tests.
class nodes : public ::testing::Environment {
 public:
  static shardway::testing::server& of(int major) {
    if (!folder()) folder() = value_of(shardway::testing::scratch_folder::make());
    auto& node = all()[major];
    if (!node) {
      node = value_of(shardway::testing::server::launch(
          folder()->path(), {.name = "pg" + std::to_string(major), .major = major, .fast = true}));
    }
    return *node;
  }
  void TearDown() override {
    all().clear();
    folder().reset();
  }

 private:
  static std::unique_ptr<shardway::testing::scratch_folder>& folder() {
    static std::unique_ptr<shardway::testing::scratch_folder> one;
    return one;
  }
  static std::map<int, std::unique_ptr<shardway::testing::server>>& all() {
    static std::map<int, std::unique_ptr<shardway::testing::server>> servers;
    return servers;
  }
};
inline auto* const nodes_environment = ::testing::AddGlobalTestEnvironment(new nodes);

class on_version : public ::testing::TestWithParam<int> {
 protected:
  shardway::testing::server& node() const { return nodes::of(GetParam()); }
  shardway::connect_options where() const { return {.node = "source", .conninfo = node().conninfo()}; }
  std::unique_ptr<shardway::session> open() const { return value_of(shardway::connect(where())); }
};

}  // namespace shardway_test
