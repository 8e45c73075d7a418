// The client as a whole: generations, the registry, a source that is down, many threads.
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>

#include "client_fleet.hpp"

namespace {

using namespace shardway_test;

class recorder final : public events {
 public:
  void on_write(write_event const& one) noexcept override { writes += one.outcome == "committed"; }
  void on_generation(generation_event const& one) noexcept override { generation = one.after; }
  void on_trouble(std::string_view, error const&) noexcept override { ++troubles; }
  std::atomic<int> writes{}, troubles{};
  std::atomic<std::uint64_t> generation{};
};

// What a host's registry would hold, by "name label": the sum of a counter, or the number of durations.
class registry final : public metrics {
 public:
  void count(std::string_view name, std::string_view label, double amount) noexcept override {
    add(name, label, amount);
  }
  void gauge(std::string_view, std::string_view, double) noexcept override {}
  void observe(std::string_view name, std::string_view label, double seconds) noexcept override {
    add(name, label, seconds > 0 ? 1 : 0);
  }
  double of(std::string const& name_and_label) const {
    std::lock_guard const lock{mutex_};
    auto const found = numbers_.find(name_and_label);
    return found == numbers_.end() ? 0 : found->second;
  }

 private:
  void add(std::string_view name, std::string_view label, double amount) {
    std::lock_guard const lock{mutex_};
    numbers_[std::string(name) + " " + std::string(label)] += amount;
  }
  mutable std::mutex mutex_;
  std::map<std::string, double> numbers_;
};

class clients : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = std::make_unique<client_fleet>();
    fleet_->set_mode(dual_write_mode::sync);
    fleet_->publish(stage::dual_writing);
  }
  static void TearDownTestSuite() { fleet_.reset(); }
  static client_fleet& fleet() { return *fleet_; }
  shardway::testing::server& source() { return fleet().servers().source(); }
  std::string registered() {
    return fleet().on(source(),
                      "SELECT coalesce(string_agg(generation::text, ','), '') FROM shardway.client WHERE "
                      "application = 'test' AND seen_at > '-infinity'");
  }
  static result<write_receipt> insert(client_session& in, std::int64_t key) {
    return in.execute("shop.orders", key, "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)",
                      {text(key)});
  }
  inline static std::unique_ptr<client_fleet> fleet_;
};

TEST_F(clients, a_new_generation_is_taken_over_and_told_in_the_registry) {
  auto heard = std::make_shared<recorder>();
  auto options = fleet().options();
  options.listener = heard;
  auto app = value_of(client::open(options));
  EXPECT_EQ(registered(), std::to_string(app.generation()));
  fleet().publish();
  for (int i = 0; i < 200 && app.generation() != fleet().current().number; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(app.generation(), fleet().current().number);
  EXPECT_EQ(heard->generation, fleet().current().number);
  for (int i = 0; i < 200 && registered() != std::to_string(app.generation()); ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(registered(), std::to_string(app.generation()));
  app.close();
  EXPECT_EQ(registered(), "");
}

TEST_F(clients, routes_as_its_generation_says) {
  auto app = fleet().open();
  auto const way = value_of(app.route_of("shop.orders", 42));
  EXPECT_EQ(way.slot, slot_of(42));
  EXPECT_TRUE(way.node.is_source());
  EXPECT_TRUE(way.dual_written);
  EXPECT_EQ(app.route_of("shop.none", 42).error().code(), error_code::unknown_table);
}

TEST_F(clients, options_are_checked) {
  auto options = fleet().options();
  options.connections_max = 0;
  EXPECT_EQ(client::open(options).error().code(), error_code::invalid_argument);
  options = fleet().options();
  options.source.conninfo = "host=127.0.0.1 port=1 dbname=postgres user=postgres";
  EXPECT_EQ(client::open(options).error().code(), error_code::node_unreachable);
  auto app = fleet().open();
  auto session = app.session();
  EXPECT_EQ(
      session.execute("shop.orders", 1, "DELETE FROM shop.orders", {}, {.deadline = 0ms}).error().code(),
      error_code::invalid_argument);
}

TEST_F(clients, without_a_generation_it_says_what_to_do) {
  require(source().query("CREATE DATABASE bare"));
  require(source().query(node_schema_sql(node_role::source, "source", fleet().current().migration), "bare"));
  auto options = fleet().options();
  options.source.conninfo = source().conninfo("bare");
  auto const failed = client::open(options);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), error_code::precondition_failed);
}

TEST_F(clients, a_closed_client_refuses) {
  auto app = fleet().open();
  auto session = app.session();
  app.close();
  EXPECT_EQ(insert(session, fresh_key()).error().code(), error_code::cancelled);
}

TEST_F(clients, a_weakened_durability_is_told) {  // W17
  auto heard = std::make_shared<recorder>();
  auto options = fleet().options();
  options.listener = heard;
  options.source.conninfo += " options='-c synchronous_commit=off'";
  auto app = value_of(client::open(options));
  auto session = app.session();
  require(insert(session, fresh_key()));
  EXPECT_EQ(heard->troubles, 1);
}

TEST_F(clients, a_meter_gets_the_numbers_of_writes_and_reads) {
  auto meter = std::make_shared<registry>();
  auto options = fleet().options();
  options.meter = meter;
  auto app = value_of(client::open(options));
  auto session = app.session();
  auto const key = fresh_key();
  require(insert(session, key));
  require(insert(session, fresh_key()));
  require(session.read("shop.orders", key, "SELECT 1 FROM shop.orders WHERE order_id = $1", {text(key)}));
  EXPECT_EQ(meter->of("shardway_write_seconds shop.orders"), 2);
  EXPECT_EQ(meter->of("shardway_dual_writes_total applied"), 2);
  EXPECT_EQ(meter->of("shardway_reads_total primary"), 1);
}

TEST_F(clients, many_threads_share_one_client) {
  auto heard = std::make_shared<recorder>();
  auto options = fleet().options();
  options.listener = heard;
  options.connections_max = 3;
  auto app = value_of(client::open(options));
  std::vector<std::vector<std::int64_t>> keys(6);
  for (auto& some : keys)
    for (int i = 0; i < 15; ++i) some.push_back(fresh_key());
  std::vector<std::future<int>> running;
  for (auto const& some : keys)
    running.push_back(std::async(std::launch::async, [&] {
      auto session = app.session();
      int applied = 0;
      for (auto const key : some) {
        auto const done = insert(session, key);
        applied += done && done.value().dual_write == dual_write_state::applied;
      }
      return applied;
    }));
  int applied = 0;
  for (auto& one : running) applied += one.get();
  EXPECT_EQ(applied, 90);
  EXPECT_EQ(heard->writes, 90);
  EXPECT_EQ(app.totals().writes, 90U);
}

TEST_F(clients, zz_moved_slots_go_on_while_the_source_is_down) {  // K1
  auto const key = fresh_key();
  auto const slot = slot_of(key);
  fleet().flip(source(), slot, 1, false, "w");
  fleet().flip(fleet().shard_of(slot), slot, 2, true);
  fleet().assign(slot, fleet().current().shard_of(slot), 2);
  fleet().publish();
  auto options = fleet().options();
  for (auto const& shard : fleet().current().migration.shards)
    options.nodes.push_back({.node = shard.name, .conninfo = shard.conninfo});
  auto app = value_of(client::open(options));
  auto session = app.session();
  require(source().stop(shardway::testing::stop_mode::immediate));
  EXPECT_EQ(value_of(insert(session, key)).node, fleet().shard_of(slot).name());
  auto late_app = value_of(client::open(options));
  EXPECT_EQ(late_app.generation(), fleet().current().number) << "each node holds a copy";
  auto late = late_app.session();
  EXPECT_EQ(value_of(late.execute("shop.orders", key, "UPDATE shop.orders SET note = 'x' WHERE order_id = $1",
                                  {text(key)}))
                .affected,
            1);
  EXPECT_EQ(insert(late, fresh_key()).error().code(), error_code::node_unreachable);
  require(source().start());
  for (int i = 0; i < 300; ++i) {
    if (insert(late, fresh_key())) return;
    std::this_thread::sleep_for(20ms);
  }
  ADD_FAILURE() << "writes to the source never came back";
}

}  // namespace
