// The pool on real servers.
#include "lib/pg/pool.hpp"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "nodes.hpp"
#include "shardway/testing/fault_proxy.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;

// A clock that the test moves. It starts at the machine's time, because deadlines are compared with that.
class moved_clock final : public clock_source {
 public:
  steady_time now() const noexcept override { return std::chrono::steady_clock::now() + ahead.load(); }
  std::chrono::system_clock::time_point wall() const noexcept override {
    return std::chrono::system_clock::now() + ahead.load();
  }
  void sleep_until(steady_time) const override {}
  std::atomic<std::chrono::milliseconds> ahead{0ms};
};

class pool_on : public on_version {
 protected:
  session_pool make(std::size_t most) {
    return value_of(session_pool::make({.node = where(), .sessions_max = most, .idle_max = 10s}, clock));
  }
  static int pid(session_lease const& lease) { return lease->identity().backend_pid; }
  std::string alive(int backend) const {
    return value_of(
        node().query("SELECT count(*) FROM pg_stat_activity WHERE pid = " + std::to_string(backend)));
  }
  void expect_gone(int backend) const {
    for (int tries = 0; tries < 200 && alive(backend) != "0"; ++tries) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(alive(backend), "0");
  }
  moved_clock clock;
};
INSTANTIATE_TEST_SUITE_P(servers, pool_on, ::testing::Values(15), ::testing::PrintToStringParamName());

TEST_P(pool_on, reuses_a_clean_session) {
  auto pool = make(2);
  int const first = pid(value_of(pool.lease(in(5s))));
  EXPECT_EQ(pid(value_of(pool.lease(in(5s)))), first);
  EXPECT_EQ(pool.state().idle, 1u);
}

TEST_P(pool_on, is_bounded_and_wakes_who_waits) {
  auto pool = make(1);
  auto held = value_of(pool.lease(in(5s)));
  auto const refused = pool.lease(in(50ms));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::deadline_exceeded);
  int const expected = pid(held);
  std::jthread const releasing([&] {
    while (pool.state().waiting == 0) std::this_thread::sleep_for(1ms);
    held = {};
  });
  EXPECT_EQ(pid(value_of(pool.lease(in(10s)))), expected);
}

TEST_P(pool_on, a_connect_that_throws_frees_its_place) {
  bool throws = true;
  auto const open = [&](connect_options const& where) {
    if (throws) throw std::bad_alloc{};
    return connect(where);
  };
  auto pool = value_of(session_pool::make({.node = where(), .sessions_max = 1, .open = open}, clock));
  EXPECT_THROW((void)pool.lease(in(5s)), std::bad_alloc);
  EXPECT_EQ(pool.state().leased, 0U);
  throws = false;
  require(pool.lease(in(5s)));
}

TEST_P(pool_on, closes_sessions_in_a_transaction_or_broken_or_discarded) {
  auto pool = make(1);
  int left{};
  {
    auto lease = value_of(pool.lease(in(5s)));
    left = pid(lease);
    require(lease->simple("BEGIN"));
  }
  EXPECT_EQ(pool.state().idle, 0u);
  expect_gone(left);
  {
    auto lease = value_of(pool.lease(in(5s)));
    EXPECT_FALSE(lease->query({"SELECT pg_sleep(30)"}, in(20ms)));
  }
  EXPECT_EQ(pool.state().idle, 0u);
  auto lease = value_of(pool.lease(in(5s)));
  lease.discard();
  EXPECT_FALSE(lease);
  EXPECT_EQ(pool.state().idle + pool.state().leased, 0u);
}

TEST_P(pool_on, replaces_an_idle_session_that_the_server_closed) {
  auto pool = make(1);
  int const first = pid(value_of(pool.lease(in(5s))));
  require(node().query("SELECT pg_terminate_backend(" + std::to_string(first) + ")"));
  expect_gone(first);
  auto const lease = value_of(pool.lease(in(5s)));
  EXPECT_NE(pid(lease), first);
  EXPECT_TRUE(lease->query({"SELECT 1"}));
}

TEST_P(pool_on, closes_sessions_idle_for_too_long) {
  auto pool = make(2);
  int const first = pid(value_of(pool.lease(in(5s))));
  clock.ahead = 9s;
  EXPECT_EQ(pid(value_of(pool.lease(in(60s)))), first);
  clock.ahead = 20s;
  EXPECT_NE(pid(value_of(pool.lease(in(60s)))), first);
  expect_gone(first);
}

TEST_P(pool_on, drain_closes_idle_ones_and_waits_for_the_rest) {
  auto pool = make(2);
  auto held = value_of(pool.lease(in(5s)));
  int const idle = pid(value_of(pool.lease(in(5s))));
  auto const early = pool.drain(in(20ms));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code(), error_code::deadline_exceeded);
  expect_gone(idle);
  EXPECT_EQ(pool.lease(in(1s)).error().code(), error_code::cancelled);
  held = {};
  EXPECT_TRUE(pool.drain(in(1s)));
  EXPECT_EQ(pool.state().idle, 0u);
}

TEST_P(pool_on, many_threads_share_few_sessions) {
  auto pool = make(3);
  std::atomic<int> now{0}, most{0}, done{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 12; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 20; ++round) {
          auto const lease = value_of(pool.lease(in(30s)));
          int const mine = ++now;
          for (int seen = most; mine > seen && !most.compare_exchange_weak(seen, mine);) {
          }
          if (lease->query({"SELECT 1"})) ++done;
          --now;
        }
      });
    }
  }
  EXPECT_EQ(done, 240);
  EXPECT_LE(most, 3);
  EXPECT_LE(pool.state().idle, 3u);
}

TEST(pool, fails_at_once_while_the_node_is_down_and_comes_back) {
  moved_clock clock;
  std::atomic<int> attempts{0};
  bool is_up = false;
  auto const open = [&](connect_options const& where) -> result<std::unique_ptr<session>> {
    ++attempts;
    if (is_up) return connect(where);
    return error{error_code::node_unreachable, "down"};
  };
  auto pool = value_of(session_pool::make({.node = {.node = "shard1", .conninfo = nodes::of(15).conninfo()},
                                           .backoff_min = 1s,
                                           .backoff_max = 4s,
                                           .open = open},
                                          clock));
  EXPECT_EQ(pool.lease(steady_time::max()).error().code(), error_code::node_unreachable);
  EXPECT_EQ(pool.lease(steady_time::max()).error().code(), error_code::node_unreachable);
  EXPECT_EQ(attempts, 1) << "the second did not try";
  EXPECT_TRUE(pool.state().is_down);
  clock.ahead = 1100ms;
  EXPECT_FALSE(pool.lease(steady_time::max()));
  EXPECT_EQ(attempts, 2);
  clock.ahead = 1100ms + 900ms;  // the second pause is at least one second
  EXPECT_FALSE(pool.lease(steady_time::max()));
  EXPECT_EQ(attempts, 2);
  is_up = true;
  clock.ahead = 10s;
  EXPECT_TRUE(pool.lease(steady_time::max()));
  EXPECT_FALSE(pool.state().is_down);
}

TEST(pool, bad_options_are_named) {
  EXPECT_FALSE(session_pool::make({.node = {}, .sessions_max = 0}));
  EXPECT_FALSE(session_pool::make({.node = {}, .idle_max = 0ms}));
  EXPECT_FALSE(session_pool::make({.node = {}, .backoff_min = 0ms}));
  EXPECT_FALSE(session_pool::make({.node = {}, .backoff_min = 2s, .backoff_max = 1s}));
}

TEST_P(pool_on, keeps_its_minimum_warm_and_does_not_close_below_it) {
  auto pool = value_of(
      session_pool::make({.node = where(), .sessions_max = 4, .sessions_min = 2, .idle_max = 10s}, clock));
  require(pool.maintain(in(5s)));
  EXPECT_EQ(pool.state().idle, 2u);
  {
    auto const one = value_of(pool.lease(in(5s))), two = value_of(pool.lease(in(5s))),
               three = value_of(pool.lease(in(5s)));
  }
  EXPECT_EQ(pool.state().idle, 3u);
  clock.ahead = 11s;
  require(pool.maintain(in(20s)));
  EXPECT_EQ(pool.state().idle, 2u);
}

TEST_P(pool_on, finds_sessions_that_a_silent_network_has_cut) {
  auto const proxy = value_of(shardway::testing::fault_proxy::open(node().port()));
  auto const behind = connect_options{.node = "source", .conninfo = proxy->conninfo()};
  auto pool = value_of(session_pool::make({.node = behind, .sessions_max = 2, .check_after = 1s}, clock));
  {
    auto const one = value_of(pool.lease(in(5s)));
  }
  proxy->stall();
  require(pool.maintain(in(5s)));
  EXPECT_EQ(pool.state().idle, 1u) << "it was used a moment ago and is not asked";
  clock.ahead = 2s;
  require(pool.maintain(in(2300ms)));
  EXPECT_EQ(pool.state().idle, 0u);
  EXPECT_EQ(pool.state().leased, 0u);
  proxy->resume();
}

TEST_P(pool_on, asks_the_password_provider_at_each_connect) {  // P5
  require(node().query("DROP ROLE IF EXISTS rotating; CREATE ROLE rotating LOGIN"));
  int asked = 0;
  auto here = where();
  here.conninfo = node().conninfo("postgres", "rotating");
  here.password_provider = [&]() -> result<std::string> { return "token " + std::to_string(++asked); };
  auto pool = value_of(session_pool::make({.node = here, .sessions_max = 2}, clock));
  {
    auto const one = value_of(pool.lease(in(5s))), two = value_of(pool.lease(in(5s)));
  }
  EXPECT_EQ(asked, 2);
}

}  // namespace
