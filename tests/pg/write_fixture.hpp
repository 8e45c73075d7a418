// What the tests of writes share: a fleet at a stage, a write, and what each side holds afterwards.
#pragma once

#include <gtest/gtest.h>

#include "client_fleet.hpp"

namespace shardway_test {

class writes : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // Statements are shown whole.
    fleet_ = std::make_unique<client_fleet>(shardway::testing::cluster_options{
        .shards = 2, .settings = {{"track_activity_query_size", "65536"}}, .fast = true});
  }
  static void TearDownTestSuite() { fleet_.reset(); }
  static client_fleet& fleet() { return *fleet_; }
  shardway::testing::server& source() { return fleet().servers().source(); }

  void at_stage(stage at, dual_write_mode mode = dual_write_mode::sync,
                std::chrono::milliseconds budget = 1000ms) {
    fleet().set_mode(mode, budget);
    fleet().publish(at);
  }
  result<write_receipt> insert(client_session& in, std::int64_t key, std::string note = "new") {
    return in.execute(
        "shop.orders", key,
        "INSERT INTO shop.orders (order_id, customer_id, total, note) VALUES ($1, $2, 10.5, $3)",
        {text(key), text(key), note});
  }
  std::string shard_note(std::int64_t key) {
    return fleet().on(
        fleet().shard_of(slot_of(key)),
        "SELECT coalesce((SELECT note FROM shop.orders WHERE order_id = " + text(key) + "), 'absent')");
  }
  std::string source_note(std::int64_t key) {
    return fleet().on(source(), "SELECT coalesce((SELECT note FROM shop.orders WHERE order_id = " +
                                    text(key) + "), 'absent')");
  }
  std::string outbox_rows(write_id const& id) {
    return fleet().on(source(),
                      "SELECT count(*) FROM shardway.outbox WHERE write_id = '" + id.to_string() + "'");
  }

  inline static std::unique_ptr<client_fleet> fleet_;
};

}  // namespace shardway_test
