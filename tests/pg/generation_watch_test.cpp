// How clients learn of generations: by notification, by polling, from other nodes; and what they do with one
// they cannot use.
#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "client_fleet.hpp"
#include "shardway/catalog/client_registry.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/catalog/lease.hpp"
#include "shardway/testing/fault_proxy.hpp"
#include "shardway/version.hpp"

namespace {

using namespace shardway_test;

class recorder final : public events {
 public:
  void on_generation_refused(refused_generation_event const& one) noexcept override {
    refused = one.number;
    ++refusals;
  }
  std::atomic<std::uint64_t> refused{};
  std::atomic<int> refusals{};
};

class generations : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = std::make_unique<client_fleet>();
    fleet_->set_mode(dual_write_mode::sync);
    fleet_->publish(stage::dual_writing);
    for (auto* node : fleet_->servers().all()) require(raise_token(*open(*node), 1, "test"));
  }
  static void TearDownTestSuite() { fleet_.reset(); }
  void TearDown() override {
    // The next test begins with a generation that every node holds and can read.
    while (newest_on(source()) > fleet().current().number) ++fleet().current().number;
    fleet().publish();
  }
  static client_fleet& fleet() { return *fleet_; }
  static shardway::testing::server& source() { return fleet().servers().source(); }
  static std::unique_ptr<session> open(shardway::testing::server& node) {
    return value_of(connect({.node = node.name(), .conninfo = node.conninfo()}));
  }
  static std::uint64_t newest_on(shardway::testing::server& node) {
    return value_of(newest_generation_number(*open(node)));
  }

  /// As the controller does it.
  static void publish_as_controller() {
    auto at_source = open(source());
    std::vector<std::unique_ptr<session>> held;
    std::vector<session*> shards;
    for (std::size_t i = 0; i < fleet().servers().shard_count(); ++i)
      shards.push_back(held.emplace_back(open(fleet().servers().shard(i))).get());
    ++fleet().current().number;
    require(publish_generation(*at_source, shards, fleet().current(), 1));
  }
  static void put(shardway::testing::server& node, std::uint64_t number, std::string const& document,
                  bool right_checksum = true) {
    require(node.query("INSERT INTO shardway.generation (generation, document, sha256) VALUES (" +
                       std::to_string(number) + ", $d$" + document + "$d$, encode(sha256(convert_to($d$" +
                       document + (right_checksum ? "" : "x") + "$d$, 'UTF8')), 'hex'))"));
  }
  static std::string document_of(std::uint64_t number) {
    auto made = fleet().current();
    made.number = number;
    return encode(made);
  }
  static std::string replaced(std::string text, std::string const& what, std::string const& by) {
    auto const at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), by);
  }
  template <class Condition>
  static bool comes_true(Condition const& condition) {
    for (int i = 0; i < 1500 && !condition(); ++i) std::this_thread::sleep_for(10ms);
    return condition();
  }
  static bool can_write(client& app) {
    auto session = app.session();
    auto const key = fresh_key();
    return bool(session.execute(
        "shop.orders", key, "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)}));
  }
  inline static std::unique_ptr<client_fleet> fleet_;
};

TEST_F(generations, a_published_one_is_heard_of_without_polling) {
  auto options = fleet().options();
  options.generation_interval = 1h;
  auto app = value_of(client::open(options));
  ASSERT_TRUE(comes_true([&] { return app.health().is_listening; }));
  publish_as_controller();
  EXPECT_TRUE(comes_true([&] { return app.generation() == fleet().current().number; }));
  EXPECT_GE(app.health().heard, 1u);
}

TEST_F(generations, a_lost_notification_costs_one_interval) {
  auto options = fleet().options();
  options.generation_interval = 50ms;
  auto app = value_of(client::open(options));
  ASSERT_TRUE(comes_true([&] { return app.health().is_listening; }));
  fleet().publish();  // without a notification
  EXPECT_TRUE(comes_true([&] { return app.generation() == fleet().current().number; }));
  EXPECT_EQ(app.health().heard, 0u);
}

TEST_F(generations, a_listener_that_lost_its_connection_listens_again) {
  auto options = fleet().options();
  options.generation_interval = 50ms;
  auto app = value_of(client::open(options));
  ASSERT_TRUE(comes_true([&] { return app.health().is_listening; }));
  fleet().on(source(),
             "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND "
             "application_name = 'test'");
  fleet().publish();
  EXPECT_TRUE(comes_true([&] { return app.generation() == fleet().current().number; }));
  EXPECT_TRUE(comes_true([&] { return app.health().is_listening; }));
  auto const before = app.health().heard;
  publish_as_controller();
  EXPECT_TRUE(comes_true([&] { return app.health().heard > before; }));
}

TEST_F(generations, a_client_may_do_without_listening) {
  auto options = fleet().options();
  options.listen = false;
  auto app = value_of(client::open(options));
  publish_as_controller();
  EXPECT_TRUE(comes_true([&] { return app.generation() == fleet().current().number; }));
  EXPECT_FALSE(app.health().is_listening);
}

TEST_F(generations, one_that_cannot_be_used_is_refused_and_the_last_good_one_kept) {
  auto const good = [&](std::uint64_t number) { return document_of(number); };
  std::vector<std::pair<std::string, std::function<void(shardway::testing::server&, std::uint64_t)>>> const
      spoiled{{"checksum", [&](auto& node, auto number) { put(node, number, good(number), false); }},
              {"syntax", [&](auto& node, auto number) { put(node, number, "{"); }},
              {"newer version",
               [&](auto& node, auto number) {
                 put(node, number, replaced(good(number), "\"DUAL_WRITING\"", "\"RESHARDING\""));
               }},
              {"newer field",
               [&](auto& node, auto number) {
                 put(node, number, replaced(good(number), "{\"format\"", "{\"colour\":1,\"format\""));
               }},
              {"older number", [&](auto& node, auto number) { put(node, number, good(1)); }}};
  auto heard = std::make_shared<recorder>();
  auto options = fleet().options();
  options.listener = heard;
  options.generation_interval = 20ms;
  auto app = value_of(client::open(options));
  for (auto const& [what, spoil] : spoiled) {
    SCOPED_TRACE(what);
    auto const in_use = app.generation();
    auto const bad = ++fleet().current().number;
    auto const refusals = heard->refusals.load();
    for (auto* node : fleet().servers().all()) spoil(*node, bad);
    ASSERT_TRUE(comes_true([&] { return app.health().refused_generation == bad; }));
    EXPECT_EQ(app.generation(), in_use);
    EXPECT_FALSE(app.health().why.empty());
    EXPECT_TRUE(can_write(app));
    EXPECT_EQ(heard->refused, bad);
    EXPECT_EQ(heard->refusals, refusals + 1) << "told once";
    auto late = value_of(client::open(fleet().options()));
    EXPECT_EQ(late.generation(), in_use) << "a new client starts from the newest that can be read";
    EXPECT_EQ(late.health().refused_generation, bad);
    fleet().publish();
    ASSERT_TRUE(comes_true([&] { return app.generation() == fleet().current().number; }));
    EXPECT_EQ(app.health().refused_generation, 0u);
  }
  EXPECT_EQ(app.health().refusals, spoiled.size());
}

TEST_F(generations, a_copy_that_is_bad_on_the_source_is_taken_from_another_node) {
  auto options = fleet().options();
  options.generation_interval = 20ms;
  auto app = value_of(client::open(options));
  auto const number = ++fleet().current().number;
  for (std::size_t i = 0; i < fleet().servers().shard_count(); ++i)
    put(fleet().servers().shard(i), number, document_of(number));
  put(source(), number, document_of(number), false);
  EXPECT_TRUE(comes_true([&] { return app.generation() == number; }));
}

TEST_F(generations, a_client_cut_off_from_the_catalog_goes_on_with_what_the_nodes_hold) {  // K1
  auto proxy = value_of(shardway::testing::fault_proxy::open(source().port()));
  auto const key = fresh_key();
  auto const slot = slot_of(key);
  fleet().flip(source(), slot, 1, false, "w");
  fleet().flip(fleet().shard_of(slot), slot, 2, true);
  fleet().assign(slot, fleet().current().shard_of(slot), 2);
  fleet().publish();
  auto options = fleet().options();
  options.source.conninfo = proxy->conninfo() + " sslmode=disable";
  options.generation_interval = 50ms;
  for (auto const& shard : fleet().current().migration.shards)
    options.nodes.push_back({.node = shard.name, .conninfo = shard.conninfo});
  auto app = value_of(client::open(options));
  require(proxy->set_refusing(true));
  proxy->cut_all();
  auto session = app.session();
  auto const wrote = session.execute(
      "shop.orders", key, "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)});
  ASSERT_TRUE(wrote) << wrote.error().to_string();
  EXPECT_EQ(wrote.value().node, fleet().shard_of(slot).name());
  // What was published meanwhile is on the shards before it is on the source.
  auto const number = ++fleet().current().number;
  for (std::size_t i = 0; i < fleet().servers().shard_count(); ++i)
    put(fleet().servers().shard(i), number, document_of(number));
  EXPECT_TRUE(comes_true([&] { return app.generation() == number; }));
  auto late = value_of(client::open(options));
  EXPECT_EQ(late.generation(), number) << "the newest on any node";
}

TEST_F(generations, the_registry_holds_generation_and_version) {
  auto options = fleet().options();
  options.application = "registry";
  auto app = value_of(client::open(options));
  auto const all = value_of(list_clients(*open(source()), std::chrono::seconds{60}));
  auto const entry = std::ranges::find(all, std::string{"registry"}, &client_entry::application);
  ASSERT_NE(entry, all.end());
  EXPECT_EQ(entry->library_version, SHARDWAY_VERSION);
  EXPECT_EQ(entry->generation, app.generation());
}

}  // namespace
