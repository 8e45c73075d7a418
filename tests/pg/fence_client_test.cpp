// The fence as a client meets it: refused, waiting, refreshed, retried; never on the wrong side of a flip.
#include <cstdlib>
#include <future>
#include <thread>

#include <gmock/gmock.h>

#include "client_fleet.hpp"
#include "shardway/pg/connect.hpp"

namespace {

using namespace shardway_test;

class fence_client : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = std::make_unique<client_fleet>();
    fleet_->set_mode(dual_write_mode::sync);
    fleet_->publish(stage::dual_writing);
  }
  static void TearDownTestSuite() { fleet_.reset(); }
  static client_fleet& fleet() { return *fleet_; }
  shardway::testing::server& source() { return fleet().servers().source(); }

  // A client that learns of a generation only when it is refused.
  client open_slow(std::chrono::milliseconds stall = 5000ms) {
    auto options = fleet().options();
    options.generation_interval = 60s;
    options.stall_budget = stall;
    return value_of(client::open(options));
  }
  static result<write_receipt> insert(client_session& in, std::int64_t key,
                                      write_options const& options = {}) {
    return in.execute("shop.orders", key,
                      "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1) RETURNING *",
                      {text(key)}, options);
  }
  std::string count_on(shardway::testing::server& node, std::int64_t key) {
    return fleet().on(node, "SELECT count(*) FROM shop.orders WHERE order_id = " + text(key));
  }

  void open_shard(std::int64_t key, int at) {
    auto const slot = slot_of(key);
    fleet().flip(fleet().shard_of(slot), slot, at, true);
    auto const opened = lsn::parse(fleet().on(fleet().shard_of(slot), "SELECT pg_current_wal_insert_lsn()"));
    fleet().assign(slot, fleet().current().shard_of(slot), at, *opened);
    fleet().publish();
  }
  void move(std::int64_t key) {
    fleet().flip(source(), slot_of(key), 1, false, "w");
    open_shard(key, 2);
  }

  inline static std::unique_ptr<client_fleet> fleet_;
};

TEST_F(fence_client, a_write_waits_out_a_move_and_lands_on_the_shard) {
  auto app = open_slow();
  auto session = app.session();
  auto const key = fresh_key();
  fleet().flip(source(), slot_of(key), 1, false, "wave1", "60000");
  auto waiting = std::async(std::launch::async, [&] { return insert(session, key); });
  EXPECT_EQ(waiting.wait_for(150ms), std::future_status::timeout) << "it waits while nobody has authority";
  open_shard(key, 2);
  auto const done = value_of(waiting.get());
  EXPECT_EQ(done.node, fleet().shard_of(slot_of(key)).name());
  EXPECT_EQ(done.epoch, epoch{2});
  EXPECT_GE(done.retries, 1U);
  EXPECT_GE(done.stalled, 150ms);
  EXPECT_EQ(done.dual_write, dual_write_state::none);
  EXPECT_EQ(done.returned.columns().size(), 5U) << "the version column is not the caller's";
  EXPECT_EQ(count_on(source(), key), "0");
  EXPECT_EQ(count_on(fleet().shard_of(slot_of(key)), key), "1");
  EXPECT_GE(app.totals().refusals, 1U);
}

TEST_F(fence_client, a_client_a_generation_behind_is_refused_refreshes_and_writes_once) {  // X1
  auto app = open_slow();
  auto session = app.session();
  auto const key = fresh_key();
  move(key);
  auto const before = app.generation();
  auto const done = value_of(insert(session, key));
  EXPECT_GT(app.generation(), before);
  EXPECT_EQ(done.retries, 1U);
  EXPECT_EQ(count_on(source(), key), "0");
  EXPECT_EQ(count_on(fleet().shard_of(slot_of(key)), key), "1");
}

TEST_F(fence_client, on_a_shard_with_authority_the_key_is_checked_and_only_single_statements_go) {
  auto app = open_slow();
  auto session = app.session();
  auto const key = fresh_key(), other = fresh_key();
  move(key);
  fleet().on(fleet().shard_of(slot_of(key)), "INSERT INTO shop.orders (order_id, customer_id) VALUES (" +
                                                 text(other) + ", " + text(other) + ")");
  require(insert(session, key));
  EXPECT_EQ(session.execute("shop.orders", key, "DELETE FROM shop.orders WHERE order_id = $1", {text(other)})
                .error()
                .code(),
            error_code::shard_key_mismatch);
  EXPECT_EQ(session.execute("shop.orders", key, "TRUNCATE shop.orders").error().code(),
            error_code::statement_refused);
  auto const moved = session.execute(
      "shop.orders", key, "UPDATE shop.orders SET customer_id = customer_id + 1 WHERE order_id = $1",
      {text(key)});
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code(), error_code::shard_key_change);
}

TEST_F(fence_client, a_reopened_source_under_a_later_epoch_is_found_without_a_new_generation) {
  auto app = open_slow();
  auto session = app.session();
  auto const key = fresh_key();
  fleet().flip(source(), slot_of(key), 1, false, "wave2", "60000");
  fleet().flip(source(), slot_of(key), 2, true);
  auto const done = value_of(insert(session, key));
  EXPECT_EQ(done.node, "source");
  EXPECT_EQ(done.epoch, epoch{2});
  EXPECT_EQ(done.versions.at(0).at_epoch(), epoch{2});
  EXPECT_EQ(done.dual_write, dual_write_state::refused) << "the shard's fence has not followed yet";
  EXPECT_EQ(done.dual_write_reason, "other_epoch");
}

TEST_F(fence_client, a_primary_read_too_finds_the_reopened_source) {
  auto app = open_slow();
  auto session = app.session();
  auto const key = fresh_key();
  fleet().flip(source(), slot_of(key), 1, false, "wave7", "60000");
  fleet().flip(source(), slot_of(key), 2, true);
  auto const seen =
      value_of(session.read("shop.orders", key, "SELECT 1", {}, {.fresh = consistency::primary}));
  EXPECT_EQ(seen.node, "source");
}

TEST_F(fence_client, past_the_stall_budget_nothing_was_written) {
  auto app = open_slow(200ms);
  auto session = app.session();
  auto const key = fresh_key();
  fleet().flip(source(), slot_of(key), 1, false, "wave3", "60000");
  auto const refused = insert(session, key);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::stall_budget_spent);
  EXPECT_EQ(refused.error().node(), "source");
  EXPECT_EQ(insert(session, key, {.deadline = 100ms}).error().code(), error_code::deadline_exceeded);
  EXPECT_EQ(count_on(source(), key), "0");
}

TEST_F(fence_client, a_dead_controllers_closed_range_is_given_back_after_its_deadline) {
  auto app = open_slow();
  auto session = app.session();
  auto const key = fresh_key();
  fleet().flip(source(), slot_of(key), 1, false, "wave4", "200");
  auto const done = value_of(insert(session, key));
  EXPECT_EQ(done.node, "source");
  EXPECT_EQ(done.epoch, epoch{2});
  EXPECT_GE(done.stalled, 100ms);
  EXPECT_EQ(
      fleet().on(source(), "SELECT decision || decided_by FROM shardway.wave_decision WHERE wave = 'wave4'"),
      "abortclient");
}

TEST_F(fence_client, a_committed_waves_range_is_not_given_back) {
  auto app = open_slow(500ms);
  auto session = app.session();
  auto const key = fresh_key();
  fleet().on(source(),
             "INSERT INTO shardway.wave_decision (wave, decision, decided_by) VALUES ('wave5', 'commit', "
             "'controller')");
  fleet().flip(source(), slot_of(key), 1, false, "wave5", "10");
  EXPECT_EQ(insert(session, key).error().code(), error_code::stall_budget_spent);
  EXPECT_EQ(count_on(source(), key), "0");
}

TEST_F(fence_client, a_rolled_back_savepoint_does_not_give_the_fence_back) {  // W28
  auto app = open_slow();
  auto session = app.session();
  auto const key = fresh_key();
  auto flip_now = [&] {
    return source().query(
        "BEGIN; SET LOCAL lock_timeout = '50ms'; LOCK TABLE shardway.fence_lock_shop IN EXCLUSIVE MODE; "
        "COMMIT");
  };
  auto const done = session.write("shop.orders", key, [&](write_transaction& in) -> result<> {
    BOOST_OUTCOME_TRYV(in.savepoint("s"));
    BOOST_OUTCOME_TRYV(in.execute(
        "shop.orders", "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)}));
    BOOST_OUTCOME_TRYV(in.rollback_to("s"));
    EXPECT_FALSE(flip_now()) << "the writer is still behind the fence";
    BOOST_OUTCOME_TRYV(in.execute(
        "shop.orders", "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)}));
    return success();
  });
  EXPECT_EQ(value_of(done).affected, 1);
  EXPECT_TRUE(flip_now()) << "and not any more";
}

// A writer whose snapshot would be older than the flip it waits for.
class repeatable_read : public fence_client {
 protected:
  void TearDown() override { unsetenv("SHARDWAY_GUARD_OFF"); }

  // The flip holds its lock, the writer waits for it, the flip commits, the shard opens.
  result<write_receipt> write_behind_a_flip(client_session& in, std::int64_t key, isolation_level level) {
    auto flipper = value_of(connect(
        {.node = "source", .conninfo = fleet().servers().conninfo(source()), .application_name = "flipper"}));
    auto const slot = std::to_string(slot_of(key).value());
    require(flipper->simple("BEGIN"));
    require(flipper->simple("LOCK TABLE shardway.fence_lock_shop IN EXCLUSIVE MODE"));
    require(flipper->simple("SELECT shardway.fence_set('shop', " + slot + ", " + slot +
                            ", 1, false, 'w', NULL)"));
    auto waiting = std::async(std::launch::async, [&] { return insert(in, key, {.isolation = level}); });
    std::string waits = "0";
    for (int i = 0; i < 500 && waits == "0"; ++i) {
      std::this_thread::sleep_for(10ms);
      waits = fleet().on(source(),
                         "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = "
                         "'shardway.fence_lock_shop'::regclass");
    }
    EXPECT_EQ(waits, "1") << "the writer stands behind the flip";
    require(flipper->simple("COMMIT"));
    open_shard(key, 2);
    return waiting.get();
  }
};

TEST_F(repeatable_read, a_writer_that_waited_for_a_flip_sees_it) {  // W24
  auto app = open_slow();
  auto session = app.session();
  for (auto const level :
       {isolation_level::read_committed, isolation_level::repeatable_read, isolation_level::serializable}) {
    auto const key = fresh_key();
    auto const done = value_of(write_behind_a_flip(session, key, level));
    EXPECT_EQ(done.node, fleet().shard_of(slot_of(key)).name());
    EXPECT_EQ(count_on(source(), key), "0");
  }
}

TEST_F(repeatable_read, without_the_lock_first_the_stale_write_goes_through) {
  auto app = open_slow();
  auto session = app.session();
  auto const key = fresh_key();
  setenv("SHARDWAY_GUARD_OFF", "fence_lock_repeatable_read", 1);
  auto const done = value_of(write_behind_a_flip(session, key, isolation_level::repeatable_read));
  EXPECT_EQ(done.node, "source") << "if this fails, the guard proves nothing any more";
  EXPECT_EQ(count_on(source(), key), "1");
}

TEST_F(fence_client, a_primary_read_under_an_old_generation_goes_where_authority_went) {  // R9
  auto app = open_slow();
  auto session = app.session();
  auto const key = fresh_key();
  require(insert(session, key));
  move(key);
  fleet().on(fleet().shard_of(slot_of(key)),
             "UPDATE shop.orders SET note = 'there' WHERE order_id = " + text(key));
  auto const seen =
      value_of(session.read("shop.orders", key, "SELECT note FROM shop.orders WHERE order_id = $1",
                            {text(key)}, {.fresh = consistency::primary}));
  EXPECT_EQ(seen.node, fleet().shard_of(slot_of(key)).name());
  EXPECT_EQ(seen.returned.text(0, 0), "there");
}

TEST_F(fence_client, a_token_of_a_newer_generation_makes_an_older_client_look_first) {  // R9
  auto old_app = open_slow();
  auto const key = fresh_key();
  move(key);
  auto new_app = open_slow();
  auto writer = new_app.session();
  require(insert(writer, key));
  auto reader = old_app.session();
  reader.adopt(writer.token());
  auto const seen = value_of(
      reader.read("shop.orders", key, "SELECT count(*) FROM shop.orders WHERE order_id = $1", {text(key)}));
  EXPECT_EQ(seen.returned.text(0, 0), "1");
  EXPECT_EQ(seen.node, fleet().shard_of(slot_of(key)).name());
}

TEST_F(fence_client, many_writers_through_a_move_and_none_is_lost_or_doubled) {  // I1, I2
  auto app = fleet().open();
  auto const key = fresh_key();
  constexpr int writers_count = 4, each = 40;
  std::vector<std::future<int>> writers;
  for (int w = 0; w < writers_count; ++w)
    writers.push_back(std::async(std::launch::async, [&, w] {
      auto session = app.session();
      int done = 0;
      for (int i = 0; i < each; ++i)
        done += session
                    .execute("shop.items", key,
                             "INSERT INTO shop.items (order_id, line, customer_id) VALUES ($1, $2, $3)",
                             {text(key), text(w * 1000 + i), text(key)})
                    .has_value();
      return done;
    }));
  std::this_thread::sleep_for(60ms);
  fleet().flip(source(), slot_of(key), 1, false, "wave6", "60000");
  auto const on_source =
      std::stoi(fleet().on(source(), "SELECT count(*) FROM shop.items WHERE order_id = " + text(key)));
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(on_source,
            std::stoi(fleet().on(source(), "SELECT count(*) FROM shop.items WHERE order_id = " + text(key))))
      << "a write behind the fence";
  open_shard(key, 2);
  int total = 0;
  for (auto& one : writers) total += one.get();
  EXPECT_EQ(total, writers_count * each);
  EXPECT_LT(on_source, total) << "the move came too late to prove anything";
  auto const after =
      std::stoi(fleet().on(source(), "SELECT count(*) FROM shop.items WHERE order_id = " + text(key)));
  EXPECT_EQ(after, on_source);
  auto const on_shard = std::stoi(fleet().on(
      fleet().shard_of(slot_of(key)), "SELECT count(*) FROM shop.items WHERE order_id = " + text(key)));
  EXPECT_EQ(on_shard, total) << "dual written before, written there after";
}

}  // namespace
