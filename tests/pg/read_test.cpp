// Reads on real replicas: which node answers, what a token requires, and that a foreign token blocks nothing.
#include <cstdlib>
#include <thread>

#include <gmock/gmock.h>

#include "client_fleet.hpp"
#include "support/parallel_work.hpp"

namespace {

using namespace shardway_test;

// replica1 follows closely; replica2 applies every commit a second late.
class reads : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = std::make_unique<client_fleet>(
        shardway::testing::cluster_options{.shards = 1, .replicas = 2, .replay_delay = 1000ms, .fast = true});
    auto const& all = fleet_->current().migration.source.replicas;
    near_ = {all[0]};
    late_ = {all[1]};
  }
  static void TearDownTestSuite() { fleet_.reset(); }
  void TearDown() override { unsetenv("SHARDWAY_GUARD_OFF"); }
  static client_fleet& fleet() { return *fleet_; }

  // A client of this set of replicas that has seen each of them.
  client open_with(std::vector<node_definition> replicas) {
    fleet().current().migration.source.replicas = std::move(replicas);
    fleet().publish(stage::dual_writing);
    auto app = fleet().open();
    auto session = app.session();
    for (int i = 0; i < 300; ++i) {
      if (value_of(session.read("shop.orders", 1, "SELECT 1", {}, {.fresh = consistency::any_replica}))
              .from_replica)
        return app;
      std::this_thread::sleep_for(10ms);
    }
    ADD_FAILURE() << "no replica was ever seen";
    return app;
  }
  static void insert(client_session& in, std::int64_t key) {
    require(in.execute("shop.orders", key, "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)",
                       {text(key)}));
  }
  static read_answer count(client_session& in, std::int64_t key, read_options const& options = {}) {
    return value_of(in.read("shop.orders", key, "SELECT count(*) FROM shop.orders WHERE order_id = $1",
                            {text(key)}, options));
  }

  inline static std::unique_ptr<client_fleet> fleet_;
  inline static std::vector<node_definition> near_, late_;
};

TEST_F(reads, own_writes_are_seen_wherever_they_are_read) {  // I8, R6, R8
  auto app = open_with({near_[0], late_[0]});
  auto session = app.session();
  for (int i = 0; i < 20; ++i) {
    auto const key = fresh_key();
    insert(session, key);
    EXPECT_EQ(count(session, key).returned.text(0, 0), "1");
  }
  EXPECT_GT(app.totals().reads_replica, 0U) << "the near replica serves some of them";
}

TEST_F(reads, a_lagging_replica_sends_the_writer_to_the_primary_and_others_not) {  // R5
  auto app = open_with(late_);
  auto writer = app.session();
  auto other = app.session();
  auto const key = fresh_key();
  insert(writer, key);
  auto const own = count(writer, key);
  EXPECT_EQ(own.returned.text(0, 0), "1");
  EXPECT_FALSE(own.from_replica);
  EXPECT_GE(own.waited, 45ms) << "it waited for its budget first";
  auto const theirs = count(other, key);
  EXPECT_TRUE(theirs.from_replica) << "a session that wrote nothing is not held up";
  EXPECT_EQ(theirs.returned.text(0, 0), "0");
}

TEST_F(reads, waiting_long_enough_frees_the_replica) {  // R5
  auto app = open_with(late_);
  auto session = app.session();
  auto const key = fresh_key();
  insert(session, key);
  auto const seen = count(session, key, {.wait_budget = 8000ms});
  EXPECT_EQ(seen.returned.text(0, 0), "1");
  EXPECT_TRUE(seen.from_replica);
  EXPECT_GT(seen.waited, 500ms);
}

TEST_F(reads, without_the_tokens_check_the_own_write_is_missing) {
  auto app = open_with(late_);
  auto session = app.session();
  auto const key = fresh_key();
  insert(session, key);
  setenv("SHARDWAY_GUARD_OFF", "token_check", 1);
  EXPECT_EQ(count(session, key).returned.text(0, 0), "0")
      << "if this fails, the guard proves nothing any more";
}

TEST_F(reads, a_token_travels_to_another_client) {
  auto app = open_with(late_);
  auto second_app = fleet().open();
  auto writer = app.session();
  auto reader = second_app.session();
  auto const key = fresh_key();
  insert(writer, key);
  auto const token = writer.token();
  EXPECT_LT(token.size(), 200U);
  reader.adopt(token);
  EXPECT_EQ(count(reader, key).returned.text(0, 0), "1");
  EXPECT_EQ(reader.token(), token);
}

TEST_F(reads, malformed_and_foreign_tokens_satisfy_nothing_and_block_nothing) {  // R1
  auto app = open_with(near_);
  auto const key = fresh_key();
  for (std::string const token :
       {"", "junk", "1:", "1:0;source=1.1.ffffffffffffffff", "1:0;nowhere=1.1.1", "9:1;source=1.1.1"}) {
    auto session = app.session();
    session.adopt(token);
    auto const begun = std::chrono::steady_clock::now();
    EXPECT_EQ(count(session, key).returned.text(0, 0), "0") << token;
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 1s) << token;
    if (token.starts_with("1:0;source=")) {
      EXPECT_FALSE(count(session, key).from_replica);
    }
  }
}

TEST_F(reads, a_foreign_token_does_not_hide_the_sessions_own_writes) {
  auto app = open_with(late_);
  auto session = app.session();
  auto const key = fresh_key();
  session.adopt("1:0;source=1.9.ffffffffffffffff");
  insert(session, key);
  session.adopt("1:0;source=1.9.ffffffffffffffff");
  EXPECT_EQ(count(session, key).returned.text(0, 0), "1");
}

TEST_F(reads, under_a_token_of_a_generation_not_found_the_fence_decides) {  // R9
  auto app = open_with(near_);
  auto session = app.session();
  auto const key = fresh_key();
  EXPECT_TRUE(count(session, key).from_replica);
  session.adopt("1:ffff");
  EXPECT_EQ(count(session, key).node, "source");
  fleet().flip(fleet().servers().source(), slot_of(key), 1, false, "w");
  auto const moved = session.read("shop.orders", key, "SELECT 1", {}, {.deadline = 300ms});
  ASSERT_FALSE(moved) << "the slot has gone elsewhere";
  EXPECT_EQ(moved.error().code(), error_code::deadline_exceeded);
}

TEST_F(reads, without_a_fence_a_generation_not_found_is_waited_for_briefly) {
  (void)open_with(near_);
  fleet().publish(stage::observing);
  auto options = fleet().options();
  options.generation_interval = 60s;
  auto app = value_of(client::open(options));
  auto session = app.session();
  auto const before = app.generation();
  session.adopt("1:ffff");
  auto const begun = std::chrono::steady_clock::now();
  (void)count(session, fresh_key(), {.wait_budget = 100ms});
  auto const took = std::chrono::steady_clock::now() - begun;
  EXPECT_GE(took, 100ms);
  EXPECT_LT(took, 1000ms);
  parallel_work later([&] {
    std::this_thread::sleep_for(50ms);
    fleet().publish();
  });
  (void)count(session, fresh_key(), {.wait_budget = 500ms});
  later.finish();
  EXPECT_EQ(app.generation(), before + 1);
}

TEST_F(reads, bounded_staleness_reads_only_a_replica_that_is_fresh_enough) {
  auto app = open_with(late_);
  auto session = app.session();
  auto writer = app.session();
  insert(writer, fresh_key());
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(
      count(session, 1, {.fresh = consistency::bounded_staleness, .staleness_max = 200ms}).from_replica);
  std::this_thread::sleep_for(1500ms);
  EXPECT_TRUE(
      count(session, 1, {.fresh = consistency::bounded_staleness, .staleness_max = 20000ms}).from_replica);
}

TEST_F(reads, locking_reads_and_primary_reads_go_to_the_authority_and_writes_are_refused) {
  auto app = open_with(near_);
  auto session = app.session();
  EXPECT_EQ(
      value_of(session.read("shop.orders", 1, "SELECT 1 FROM shop.orders WHERE order_id = 0 FOR UPDATE"))
          .node,
      "source");
  EXPECT_EQ(count(session, 1, {.fresh = consistency::primary}).node, "source");
  for (auto const* sql : {"DELETE FROM shop.orders",
                          "WITH x AS (DELETE FROM shop.orders RETURNING 1) SELECT 1", "TRUNCATE shop.orders"})
    EXPECT_EQ(session.read("shop.orders", 1, sql).error().code(), error_code::statement_refused) << sql;
  EXPECT_EQ(session.read("shop.orders", 1, "SELECT nothing").error().sqlstate(), "42703");
}

TEST_F(reads, a_reference_table_is_read_from_the_source_or_its_replicas) {
  auto app = open_with(near_);
  auto session = app.session();
  require(session.execute("shop.currencies", {}, "INSERT INTO shop.currencies VALUES ('NOK', 'krone')"));
  EXPECT_EQ(
      value_of(session.read("shop.currencies", {}, "SELECT name FROM shop.currencies WHERE code = 'NOK'"))
          .returned.text(0, 0),
      "krone");
}

TEST_F(reads, zz_a_stopped_or_promoted_replica_answers_nothing) {  // R2, R4: last, for it spends the replica
  auto app = open_with(near_);
  auto session = app.session();
  auto& replica = fleet().servers().replica(0);
  require(replica.stop());
  EXPECT_FALSE(count(session, 1, {.fresh = consistency::any_replica}).from_replica);
  require(replica.start());
  bool back = false;
  for (int i = 0; i < 300 && !back; ++i) {
    std::this_thread::sleep_for(20ms);
    back = count(session, 1, {.fresh = consistency::any_replica}).from_replica;
  }
  EXPECT_TRUE(back);
  require(replica.promote());
  auto const key = fresh_key();
  insert(session, key);
  EXPECT_EQ(count(session, key).returned.text(0, 0), "1");
  EXPECT_FALSE(count(session, key, {.fresh = consistency::any_replica}).from_replica)
      << "it is a primary of its own now";
}

}  // namespace
