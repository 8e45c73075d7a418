// Behind a real PgBouncer in transaction mode, each transaction may get another server connection.
#include "shardway/testing/pooler.hpp"

#include <fstream>
#include <iterator>
#include <thread>

#include <gmock/gmock.h>

#include "client_fleet.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/testing/fault_proxy.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;
using ::testing::HasSubstr;

constexpr char role_settings[] =
    "ALTER ROLE postgres SET search_path = pg_catalog, pg_temp; ALTER ROLE postgres SET TimeZone = 'UTC'";

// A fleet in which the source and each shard have a pooler with two server connections in front of them.
class pooled_fleet : public ::testing::Test {
 protected:
  void SetUp() override {
    for (auto* node : fleet.servers().all()) {
      require(node->query(role_settings));
      poolers.push_back(value_of(shardway::testing::pooler::launch(node->folder().parent_path(), *node,
                                                                   {.name = node->name() + "_pooler"})));
    }
  }
  connect_options by_pooler(std::size_t node) {
    return {.node = fleet.servers().all()[node]->name(),
            .conninfo = poolers[node]->conninfo(),
            .path = connection_path::transaction_pooler};
  }
  client open() {
    auto options = fleet.options();
    options.source = by_pooler(0);
    for (std::size_t node = 1; node < poolers.size(); ++node) options.nodes.push_back(by_pooler(node));
    return value_of(client::open(std::move(options)));
  }

  client_fleet fleet;
  std::vector<std::unique_ptr<shardway::testing::pooler>> poolers;
};

TEST_F(pooled_fleet, a_role_without_the_settings_is_refused_with_the_statement_that_mends_it) {
  require(fleet.servers().source().query(
      "CREATE ROLE plain SUPERUSER LOGIN; ALTER ROLE plain SET TimeZone = 'Asia/Tokyo'"));
  poolers.push_back(value_of(shardway::testing::pooler::launch(
      fleet.servers().source().folder().parent_path(), fleet.servers().source(), {.name = "another"})));
  auto const refused = connect({.node = "source",
                                .conninfo = poolers.back()->conninfo("postgres", "plain"),
                                .path = connection_path::transaction_pooler});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::precondition_failed);
  EXPECT_THAT(refused.error().message(), HasSubstr("search_path, TimeZone"));
  EXPECT_THAT(refused.error().hint(), HasSubstr("ALTER ROLE"));
}

TEST_F(pooled_fleet, named_statements_are_sent_without_their_names) {
  auto const on = value_of(connect(by_pooler(0)));
  auto const other = value_of(connect(by_pooler(0)));
  for (int turn = 0; turn < 20; ++turn) {
    // The other session holds the first server connection, so the next transaction of this one gets the
    // second.
    require(other->simple("BEGIN"));
    auto const answers = value_of(
        on->flush(std::vector<statement>{{.sql = "BEGIN"},
                                         {.sql = "SELECT $1::int + 1", .parameters = {"41"}, .name = "sum"},
                                         {.sql = "COMMIT"}}));
    ASSERT_EQ(answers.size(), 3u);
    EXPECT_EQ(value_of(answers[1]).text(0, 0), "42");
    require(other->simple("COMMIT"));
    EXPECT_EQ(
        value_of(on->query({.sql = "SELECT $1::int + 1", .parameters = {"1"}, .name = "sum"})).text(0, 0),
        "2");
  }
}

TEST_F(pooled_fleet, writes_and_reads_of_every_stage_go_through) {
  auto service = open();
  for (auto const at : {stage::observing, stage::copying, stage::dual_writing}) {
    fleet.publish(at);
    require(service.refresh());
    std::vector<std::jthread> callers;
    std::atomic<int> wrong{};
    for (int caller = 0; caller < 6; ++caller) {
      std::int64_t const key = fresh_key();
      callers.emplace_back([&, key] {
        auto session = service.session();
        for (int turn = 0; turn < 10; ++turn) {
          auto const id = text(key * 100 + turn);
          auto const done = session.execute(
              "shop.orders", key, "INSERT INTO shop.orders (order_id, customer_id, total) VALUES ($1, $2, 5)",
              {id, text(key)});
          auto const seen = session.read(
              "shop.orders", key, "SELECT count(*) FROM shop.orders WHERE customer_id = $1", {text(key)});
          wrong += !done || !seen ||
                   (at != stage::observing && at != stage::copying &&
                    done.value().dual_write != dual_write_state::applied);
          auto const more = session.write("shop.orders", key, [&](write_transaction& in) -> result<> {
            BOOST_OUTCOME_TRYV(in.savepoint("here"));
            BOOST_OUTCOME_TRYV(in.execute(
                "shop.orders", "UPDATE shop.orders SET total = total + 1 WHERE order_id = $1", {id}));
            return success();
          });
          wrong += !more;
        }
      });
    }
    callers.clear();
    EXPECT_EQ(wrong, 0) << name(at);
  }
  EXPECT_EQ(
      value_of(fleet.servers().source().query("SELECT count(*) || ' ' || sum(total)::int FROM shop.orders")),
      "180 1080");
}

TEST_F(pooled_fleet, an_unanswered_commit_is_found_and_ends_nobodys_backend) {
  fleet.publish(stage::dual_writing);
  auto proxy = value_of(shardway::testing::fault_proxy::open(poolers[0]->port()));
  auto options = fleet.options();
  options.source = by_pooler(0);
  options.source.conninfo = proxy->conninfo();
  for (std::size_t node = 1; node < poolers.size(); ++node) options.nodes.push_back(by_pooler(node));
  auto service = value_of(client::open(std::move(options)));
  auto session = service.session();
  std::int64_t const key = fresh_key();
  require(session.execute("shop.orders", key,
                          "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)}));
  auto const other = value_of(connect(by_pooler(0)));
  require(other->simple("BEGIN; SELECT 1"));  // another client's transaction, on either backend
  require(proxy->arm({.direction = shardway::testing::towards::client, .message = 'C', .text = "COMMIT"}));
  auto const done = value_of(session.execute(
      "shop.orders", key, "UPDATE shop.orders SET total = 7 WHERE order_id = $1", {text(key)}));
  EXPECT_EQ(proxy->trips(), 1u);
  EXPECT_EQ(done.outcome, commit_outcome_kind::committed);
  EXPECT_EQ(value_of(fleet.servers().source().query("SELECT total::int FROM shop.orders WHERE order_id = " +
                                                    text(key))),
            "7");
  EXPECT_TRUE(other->simple("COMMIT")) << "its backend was ended";
}

TEST_F(pooled_fleet, AP14_row_values_are_in_no_log_of_a_shard_behind_a_pooler) {
  fleet.publish(stage::dual_writing);
  auto service = open();
  auto session = service.session();
  auto const key = fresh_key();
  require(session.execute("shop.orders", key,
                          "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)}));
  auto& shard = fleet.shard_of(slot_of(key));
  auto const locker = value_of(connect({.node = shard.name(), .conninfo = shard.conninfo()}));
  require(locker->simple("BEGIN; SELECT 1 FROM shop.orders FOR UPDATE"));
  std::string const secret = "ada'\\ @example.com";
  auto const update = [&] {
    return value_of(session.execute(
        "shop.orders", key, "UPDATE shop.orders SET note = $1 WHERE order_id = $2", {secret, text(key)}));
  };
  EXPECT_EQ(update().dual_write, dual_write_state::pending);
  std::ifstream file{shard.folder() / "server.log"};
  std::string const log{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(log, HasSubstr("canceling statement due to lock timeout"));
  EXPECT_EQ(log.find("@example.com"), std::string::npos);
  require(locker->simple("ROLLBACK"));
  EXPECT_EQ(update().dual_write, dual_write_state::applied);
  EXPECT_EQ(fleet.on(shard, "SELECT note FROM shop.orders WHERE order_id = " + text(key)), secret);
}

}  // namespace
