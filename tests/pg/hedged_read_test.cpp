// Hedged reads: a late replica is raced, the loser is cancelled, and connections come back clean.
#include <thread>

#include <gmock/gmock.h>

#include "client_fleet.hpp"
#include "shardway/testing/fault_proxy.hpp"

namespace {

using namespace shardway_test;

// Slow on a replica, at once on the primary.
constexpr char slow_on_replicas[] =
    "SELECT 1 FROM pg_sleep(CASE WHEN pg_is_in_recovery() THEN 30 ELSE 0 END)";
read_options const hedged{.fresh = consistency::any_replica, .hedge_after = 20ms};

class hedged_reads : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = std::make_unique<client_fleet>(
        shardway::testing::cluster_options{.shards = 1, .replicas = 2, .fast = true});
    all_ = fleet_->current().migration.source.replicas;
    fleet_->on(fleet_->servers().source(), "CREATE SCHEMA other; CREATE SEQUENCE other.numbers");
  }
  static void TearDownTestSuite() { fleet_.reset(); }
  static client_fleet& fleet() { return *fleet_; }

  template <class Condition>
  static void soon(char const* what, Condition condition) {
    auto const end = std::chrono::steady_clock::now() + 30s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end)
        throw std::runtime_error(std::string("not in time: ") + what);
      std::this_thread::sleep_for(5ms);
    }
  }

  client open_with(std::vector<node_definition> replicas) {
    auto const wanted = replicas.size();
    fleet().current().migration.source.replicas = std::move(replicas);
    fleet().publish(stage::dual_writing);
    auto app = fleet().open();
    auto session = app.session();
    std::vector<std::string> seen;
    soon("every replica was seen", [&] {
      auto const answer =
          value_of(session.read("shop.orders", 1, "SELECT 1", {}, {.fresh = consistency::any_replica}));
      if (answer.from_replica && std::find(seen.begin(), seen.end(), answer.node) == seen.end())
        seen.push_back(answer.node);
      return seen.size() == wanted;
    });
    return app;
  }
  static std::string backends(shardway::testing::server& node) {
    return fleet().on(node,
                      "SELECT coalesce(string_agg(pid::text, ',' ORDER BY pid), '') FROM pg_stat_activity "
                      "WHERE application_name = 'test'");
  }
  static std::string sleeping(shardway::testing::server& node) {
    return fleet().on(node,
                      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test' AND state = "
                      "'active' AND query LIKE '%pg_sleep%'");
  }

  inline static std::unique_ptr<client_fleet> fleet_;
  inline static std::vector<node_definition> all_;
};

TEST_F(hedged_reads, the_primary_answers_for_a_slow_replica_which_is_cancelled_and_keeps_its_connection) {
  auto app = open_with({all_[0]});
  auto session = app.session();
  auto& replica = fleet().servers().replica(0);
  auto const before = backends(replica);
  auto const answer = value_of(session.read("shop.orders", 1, slow_on_replicas, {}, hedged));
  EXPECT_EQ(answer.node, "source");
  EXPECT_TRUE(answer.hedged);
  EXPECT_EQ(app.totals().hedges, 1U);
  EXPECT_EQ(app.totals().hedges_won, 1U);
  soon("the statement is cancelled", [&] { return sleeping(replica) == "0"; });
  soon("its connection is free", [&] {
    auto const again =
        value_of(session.read("shop.orders", 1, "SELECT 2", {}, {.fresh = consistency::any_replica}));
    EXPECT_EQ(again.returned.text(0, 0), "2");
    return again.from_replica;
  });
  EXPECT_TRUE(backends(replica).starts_with(before))
      << "no connection was lost";  // one may be made while the first is cleaned
}

TEST_F(hedged_reads, a_replica_that_broke_under_a_read_of_several_keys_is_avoided_for_a_while) {
  auto app = open_with({all_[0]});
  auto session = app.session();
  constexpr char breaks_on_replicas[] =
      "SELECT CASE WHEN pg_is_in_recovery() THEN pg_terminate_backend(pg_backend_pid()) END AS broken WHERE "
      "1 = "
      "ANY ($1::bigint[])";
  shard_key const keys[]{std::int64_t{1}};
  soon("a read after it goes to the primary", [&] {
    auto const broken = value_of(session.read_many("shop.orders", keys, breaks_on_replicas, {},
                                                   {.read = {.fresh = consistency::any_replica}}));
    EXPECT_FALSE(broken.parts.at(0).from_replica);
    auto const next =
        value_of(session.read("shop.orders", 1, "SELECT 1", {}, {.fresh = consistency::any_replica}));
    return !next.from_replica;
  });
}

TEST_F(hedged_reads, a_quick_replica_is_not_raced) {
  auto app = open_with({all_[0]});
  auto session = app.session();
  for (int i = 0; i < 20; ++i) {
    auto const answer = value_of(session.read("shop.orders", 1, "SELECT 1", {},
                                              {.fresh = consistency::any_replica, .hedge_after = 10s}));
    EXPECT_TRUE(answer.from_replica);
    EXPECT_FALSE(answer.hedged);
  }
  EXPECT_EQ(app.totals().hedges, 0U);
}

TEST_F(hedged_reads, at_most_one_read_in_ten_is_hedged) {
  auto app = open_with({all_[0]});
  auto session = app.session();
  constexpr char slow[] = "SELECT 1 FROM pg_sleep(CASE WHEN pg_is_in_recovery() THEN 0.06 ELSE 0 END)";
  for (int i = 0; i < 40; ++i) (void)value_of(session.read("shop.orders", 1, slow, {}, hedged));
  EXPECT_GE(app.totals().hedges, 1U);
  EXPECT_LE(app.totals().hedges, 5U);
}

TEST_F(hedged_reads, another_replica_answers_for_one_that_is_silent) {
  auto proxy = value_of(shardway::testing::fault_proxy::open(fleet().servers().replica(0).port()));
  auto through = all_[0];
  through.conninfo = proxy->conninfo();
  auto app = open_with({through, all_[1]});
  auto session = app.session();
  soon("a read was raced", [&] {
    proxy->stall();
    bool raced = false;
    for (int i = 0; i < 6; ++i) {
      auto const answer = value_of(session.read("shop.orders", 1, "SELECT 1", {}, hedged));
      EXPECT_EQ(answer.returned.text(0, 0), "1");
      if (answer.hedged) EXPECT_NE(answer.node, through.name);
      raced = raced || answer.hedged;
    }
    proxy->resume();
    return raced;
  });
  proxy->stall();
  {
    auto const closed = std::move(app);
  }  // does not wait for a leg that gets no answer
  proxy->cut_all();
}

TEST_F(hedged_reads, own_writes_are_seen_whoever_wins) {  // I8
  auto app = open_with(all_);
  auto session = app.session();
  for (int i = 0; i < 30; ++i) {
    auto const key = fresh_key();
    require(session.execute("shop.orders", key,
                            "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)}));
    auto const seen =
        value_of(session.read("shop.orders", key, "SELECT count(*) FROM shop.orders WHERE order_id = $1",
                              {text(key)}, {.hedge_after = 1ms}));
    EXPECT_EQ(seen.returned.text(0, 0), "1");
  }
}

TEST_F(hedged_reads, a_statement_that_changes_something_is_never_done_by_the_second_leg) {
  auto app = open_with({all_[0]});
  auto session = app.session();
  auto const drawn = session.read(
      "shop.orders", 1,
      "SELECT nextval('other.numbers') FROM pg_sleep(CASE WHEN pg_is_in_recovery() THEN 0.2 ELSE 0 END)", {},
      hedged);
  EXPECT_FALSE(drawn) << "a replica refuses it";
  EXPECT_EQ(fleet().on(fleet().servers().source(), "SELECT is_called FROM other.numbers"), "f");
}

TEST_F(hedged_reads, locking_and_primary_reads_are_not_raced_and_options_are_checked) {
  auto app = open_with(all_);
  auto session = app.session();
  auto const locking =
      value_of(session.read("shop.orders", 1, "SELECT 1 FROM shop.orders, pg_sleep(0.1) FOR UPDATE OF orders",
                            {}, {.hedge_after = 1ms}));
  EXPECT_FALSE(locking.hedged);
  EXPECT_FALSE(value_of(session.read("shop.orders", 1, "SELECT 1 FROM pg_sleep(0.1)", {},
                                     {.fresh = consistency::primary, .hedge_after = 1ms}))
                   .hedged);
  EXPECT_EQ(session.read("shop.orders", 1, "SELECT 1", {}, {.hedge_after = -1ms}).error().code(),
            error_code::invalid_argument);
}

TEST_F(hedged_reads, a_deadline_ends_a_read_that_nobody_answers) {
  auto proxy = value_of(shardway::testing::fault_proxy::open(fleet().servers().source().port()));
  auto app = open_with({});
  auto options = fleet().options();
  options.source.conninfo = proxy->conninfo();
  auto behind = value_of(client::open(options));
  auto session = behind.session();
  EXPECT_TRUE(session.read("shop.orders", 1, "SELECT 1"));
  proxy->stall();
  for (auto const fresh : {consistency::primary, consistency::read_your_writes,
                           consistency::bounded_staleness, consistency::any_replica}) {
    auto const late = session.read("shop.orders", 1, "SELECT 1", {},
                                   {.fresh = fresh, .deadline = 200ms, .hedge_after = 10ms});
    EXPECT_FALSE(late);
  }
  proxy->resume();
}

}  // namespace
