// The fault proxy in front of a real server: what arrives, what gets lost, and what both sides see.
#include "shardway/testing/fault_proxy.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#include <gmock/gmock.h>
#include <libpq-fe.h>

#include "shardway/testing/cluster.hpp"
#include "support/value_of.hpp"

namespace {

using namespace shardway;
using namespace shardway::testing;
using namespace std::chrono_literals;
using shardway_test::require;
using shardway_test::value_of;

class connection {
 public:
  explicit connection(std::string const& conninfo) : raw_(PQconnectdb(conninfo.c_str())) {}
  ~connection() { PQfinish(raw_); }
  connection(connection const&) = delete;
  bool is_open() const { return PQstatus(raw_) == CONNECTION_OK; }
  bool run(char const* sql) {
    PGresult* answer = PQexec(raw_, sql);
    auto const status = PQresultStatus(answer);
    PQclear(answer);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
  }
  bool run_extended(char const* sql) {
    PGresult* answer = PQexecParams(raw_, sql, 0, nullptr, nullptr, nullptr, nullptr, 0);
    auto const status = PQresultStatus(answer);
    PQclear(answer);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
  }

 private:
  PGconn* raw_;
};

class the_fault_proxy : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { fleet = value_of(cluster::start({.shards = 0, .fast = true})); }
  static void TearDownTestSuite() { fleet.reset(); }
  void SetUp() override {
    require(node().query("DROP TABLE IF EXISTS written; CREATE TABLE written (value int)"));
    front = value_of(fault_proxy::open(node().port()));
  }
  static server& node() { return fleet->source(); }
  static std::string rows() { return value_of(node().query("SELECT count(*) FROM written")); }

  inline static std::unique_ptr<cluster> fleet;
  std::unique_ptr<fault_proxy> front;
};

TEST_F(the_fault_proxy, passes_everything_without_a_rule) {
  connection client(front->conninfo());
  EXPECT_TRUE(client.run("INSERT INTO written SELECT generate_series(1, 20000)"));
  EXPECT_TRUE(client.run("SELECT repeat('x', 100) FROM written"));
  EXPECT_EQ(rows(), "20000");
  EXPECT_EQ(front->open_connections(), 1u);
  EXPECT_EQ(front->trips(), 0u);
}

TEST_F(the_fault_proxy, passes_clients_that_ask_for_encryption_first) {
  auto conninfo = front->conninfo();
  conninfo.replace(conninfo.find("sslmode=disable"), 15, "sslmode=prefer");
  connection client(conninfo);
  EXPECT_TRUE(client.run("INSERT INTO written VALUES (1)"));
}

TEST_F(the_fault_proxy, commit_arrives_and_its_reply_is_lost) {
  connection client(front->conninfo());
  require(front->arm({.direction = towards::client, .message = 'C', .text = "COMMIT"}));
  ASSERT_TRUE(client.run("BEGIN"));
  ASSERT_TRUE(client.run("INSERT INTO written VALUES (1)"));
  EXPECT_FALSE(client.run("COMMIT"));
  EXPECT_FALSE(client.is_open());
  require(front->wait_for_trips());
  EXPECT_EQ(rows(), "1");
}

TEST_F(the_fault_proxy, commit_never_arrives) {
  for (bool extended : {false, true}) {
    connection client(front->conninfo());
    require(front->arm({.direction = towards::server, .message = extended ? 'P' : 'Q', .text = "COMMIT"}));
    ASSERT_TRUE(client.run("BEGIN"));
    ASSERT_TRUE(client.run("INSERT INTO written VALUES (1)"));
    EXPECT_FALSE(extended ? client.run_extended("COMMIT") : client.run("COMMIT"));
    EXPECT_EQ(rows(), "0");
  }
  EXPECT_EQ(front->trips(), 2u);
}

TEST_F(the_fault_proxy, cuts_after_the_message_was_forwarded) {
  connection client(front->conninfo());
  require(front->arm({.direction = towards::server, .message = 'Q', .text = "INSERT", .after = true}));
  client.run("INSERT INTO written VALUES (1)");
  require(front->wait_for_trips());
  for (int tries = 0; tries < 200 && rows() != "1"; ++tries) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(rows(), "1");
  EXPECT_FALSE(client.run("SELECT 1"));
}

TEST_F(the_fault_proxy, trips_at_the_nth_match_and_once) {
  connection client(front->conninfo());
  require(front->arm({.direction = towards::server, .message = 'Q', .text = "INSERT", .nth = 3}));
  EXPECT_TRUE(client.run("INSERT INTO written VALUES (1)"));
  EXPECT_TRUE(client.run("INSERT INTO written VALUES (2)"));
  EXPECT_FALSE(client.run("INSERT INTO written VALUES (3)"));
  EXPECT_EQ(rows(), "2");
  connection next(front->conninfo());
  EXPECT_TRUE(next.run("INSERT INTO written VALUES (4)"));
}

TEST_F(the_fault_proxy, cuts_after_exactly_that_many_bytes) {
  // "INSERT" as a simple query: one type byte, four of length, the text, a zero.
  std::string const sql = "INSERT INTO written VALUES (1)";
  auto const size = sql.size() + 6;
  for (auto const passed : {size - 1, size}) {
    connection client(front->conninfo());
    ASSERT_TRUE(client.is_open());
    require(node().query("TRUNCATE written"));
    auto const trips_before = front->trips();
    require(front->arm({.direction = towards::server, .after_bytes = passed}));
    client.run(sql.c_str());
    require(front->wait_for_trips(trips_before + 1));
    auto const expected = passed == size ? "1" : "0";
    for (int tries = 0; tries < 20 && rows() != expected; ++tries) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(rows(), expected) << passed << " of " << size;
  }
}

TEST_F(the_fault_proxy, half_open_hears_nothing_until_resumed) {
  connection client(front->conninfo());
  require(front->arm(
      {.direction = towards::server, .message = 'Q', .text = "INSERT", .fault = proxy_fault::stall}));
  std::atomic<bool> returned{false};
  std::jthread writing([&] {
    client.run("INSERT INTO written VALUES (1)");
    returned = true;
  });
  require(front->wait_for_trips());
  std::this_thread::sleep_for(300ms);
  EXPECT_FALSE(returned);
  EXPECT_EQ(front->open_connections(), 1u);
  front->cut_all();
  writing.join();
  EXPECT_FALSE(client.is_open());
  EXPECT_EQ(rows(), "0");
}

TEST_F(the_fault_proxy, a_stall_of_all_holds_back_and_then_delivers) {
  connection client(front->conninfo());
  front->stall();
  std::jthread releasing([&] {
    std::this_thread::sleep_for(300ms);
    front->resume();
  });
  auto const begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(client.run("INSERT INTO written VALUES (1)"));
  EXPECT_GT(std::chrono::steady_clock::now() - begin, 250ms);
  EXPECT_EQ(rows(), "1");
}

TEST_F(the_fault_proxy, delays_both_directions) {
  connection client(front->conninfo());
  front->set_delay(80ms);
  auto const begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(client.run("SELECT 1"));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 160ms);
}

TEST_F(the_fault_proxy, refuses_new_connections_and_keeps_open_ones) {
  connection client(front->conninfo());
  require(front->set_refusing(true));
  EXPECT_FALSE(connection(front->conninfo()).is_open());
  EXPECT_TRUE(client.run("SELECT 1"));
  require(front->set_refusing(false));
  EXPECT_TRUE(connection(front->conninfo()).is_open());
}

TEST_F(the_fault_proxy, an_impossible_rule_is_refused) {
  EXPECT_FALSE(front->arm({}));
  EXPECT_FALSE(front->arm({.after_bytes = 5, .message = 'Q'}));
  EXPECT_FALSE(front->arm({.message = 'Q', .nth = 0}));
}

TEST_F(the_fault_proxy, a_replica_behind_it_stops_and_catches_up) {
  auto const follower = value_of(
      node().make_replica({.name = "behind", .primary_host = "127.0.0.1", .primary_port = front->port()}));
  front->stall();
  require(node().query("INSERT INTO written VALUES (1)"));
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(value_of(follower->query("SELECT count(*) FROM written")), "0");
  front->resume();
  for (int tries = 0; tries < 500 && value_of(follower->query("SELECT count(*) FROM written")) == "0";
       ++tries)
    std::this_thread::sleep_for(20ms);
  EXPECT_EQ(value_of(follower->query("SELECT count(*) FROM written")), "1");
}

}  // namespace
