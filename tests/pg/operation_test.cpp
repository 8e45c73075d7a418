// Writes with an id from the caller take effect once, however often they are sent: in every stage, across
// moves of authority and lost COMMITs. Also: the caller stops a write.
#include <thread>

#include <gmock/gmock.h>

#include "shardway/testing/fault_proxy.hpp"
#include "write_fixture.hpp"

namespace {

using namespace shardway_test;

class operations : public writes {
 protected:
  static constexpr char add_sql[] =
      "INSERT INTO shop.orders AS o (order_id, customer_id, total) VALUES ($1, $1, 1) ON CONFLICT (order_id) "
      "DO UPDATE SET total = o.total + 1";
  static std::string fresh_id() {
    static int next = 0;
    return "operation-" + std::to_string(++next);
  }
  static result<write_receipt> add(client_session& in, std::int64_t key, std::string const& id,
                                   write_options options = {}) {
    options.operation_id = id;
    return in.execute("shop.orders", key, add_sql, {text(key)}, options);
  }
  std::string effects(shardway::testing::server& node, std::int64_t key) {
    return fleet().on(node,
                      "SELECT coalesce(sum(total), 0)::int FROM shop.orders WHERE order_id = " + text(key));
  }
  shardway::testing::server& shard_at(std::int64_t key) { return fleet().shard_of(slot_of(shard_key{key})); }
  // Moves authority to the shard with the row, as a wave does, and back.
  void move(std::int64_t key, int epoch) {
    auto const slot = slot_of(shard_key{key});
    fleet().flip(source(), slot, epoch - 1, false);
    copy_row(source(), shard_at(key), key);
    fleet().flip(shard_at(key), slot, epoch, true);
    fleet().assign(slot, fleet().current().shard_of(slot), epoch);
    fleet().publish(stage::sharded);
  }
  void move_back(std::int64_t key, int epoch) {
    auto const slot = slot_of(shard_key{key});
    fleet().flip(shard_at(key), slot, epoch - 1, false);
    copy_row(shard_at(key), source(), key);
    fleet().flip(source(), slot, epoch, true);
    fleet().assign(slot, std::nullopt, epoch);
    fleet().publish(stage::dual_writing);
  }
  void copy_row(shardway::testing::server& from, shardway::testing::server& to, std::int64_t key) {
    auto const total = fleet().on(
        from, "SELECT coalesce(max(total)::text, '') FROM shop.orders WHERE order_id = " + text(key));
    if (total.empty()) return;
    require(to.query("INSERT INTO shop.orders (order_id, customer_id, total) VALUES (" + text(key) + ", " +
                     text(key) + ", " + total +
                     ") ON CONFLICT (order_id) DO UPDATE SET total = excluded.total"));
  }
  client open_through_gate(shardway::testing::server& node, std::chrono::milliseconds resolve = 5000ms) {
    gate_ = value_of(shardway::testing::fault_proxy::open(node.port()));
    auto options = fleet().options();
    if (node.name() == "source")
      options.source.conninfo = gate_->conninfo();
    else
      options.nodes = {{.node = node.name(), .conninfo = gate_->conninfo()}};
    options.resolve_deadline = resolve;
    options.generation_interval = 60s;
    return value_of(client::open(options));
  }
  std::unique_ptr<shardway::testing::fault_proxy> gate_;
};

TEST_F(operations, the_same_again_has_no_effect_and_gives_the_first_receipt) {
  for (auto const at : {stage::observing, stage::copying, stage::dual_writing}) {
    at_stage(at);
    auto app = fleet().open();
    auto session = app.session();
    auto const key = fresh_key();
    auto const id = fresh_id();
    auto const first = value_of(add(session, key, id));
    EXPECT_FALSE(first.replayed);
    EXPECT_EQ(first.affected, 1);
    auto const second = value_of(add(session, key, id));
    EXPECT_TRUE(second.replayed);
    EXPECT_EQ(second.id, first.id);
    EXPECT_EQ(second.affected, 1);
    EXPECT_TRUE(second.position.is_set());
    EXPECT_EQ(effects(source(), key), "1");
    EXPECT_EQ(effects(shard_at(key), key), at == stage::dual_writing ? "1" : "0");
    auto const other = value_of(add(session, key, fresh_id()));
    EXPECT_FALSE(other.replayed);
    EXPECT_EQ(effects(source(), key), "2");
  }
}

TEST_F(operations, another_content_under_the_same_id_is_refused) {  // W3
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const id = fresh_id();
  require(add(session, key, id));
  auto const refused = session.execute(
      "shop.orders", key, "UPDATE shop.orders SET total = 100 WHERE order_id = $1 AND customer_id = $1",
      {text(key)}, {.operation_id = id});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::write_id_mismatch);
  EXPECT_EQ(refused.error().to_string().find(id), std::string::npos);
  EXPECT_EQ(effects(source(), key), "1");
  EXPECT_EQ(fleet().on(source(), "SELECT string_agg(id || digest, '') LIKE '%shop%' FROM shardway.operation"),
            "f");
}

// I2 for operations: found where it was written, after the slot has moved, and after it has come back.
TEST_F(operations, are_found_across_a_move_and_a_rollback) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const before = fresh_id(), moved = fresh_id();
  auto const first = value_of(add(session, key, before));
  move(key, 2);
  auto const repeated = value_of(add(session, key, before));
  EXPECT_TRUE(repeated.replayed);
  EXPECT_EQ(repeated.id, first.id);
  EXPECT_EQ(effects(shard_at(key), key), "1");
  EXPECT_FALSE(value_of(add(session, key, moved)).replayed);
  EXPECT_TRUE(value_of(add(session, key, moved)).replayed);
  EXPECT_EQ(effects(shard_at(key), key), "2");
  move_back(key, 3);
  EXPECT_TRUE(value_of(add(session, key, moved)).replayed);
  EXPECT_TRUE(value_of(add(session, key, before)).replayed);
  EXPECT_EQ(effects(source(), key), "2");
  EXPECT_EQ(add(session, fresh_key(), before).error().code(), error_code::write_id_mismatch);
}

TEST_F(operations, where_the_other_node_cannot_be_asked_nothing_is_written) {
  at_stage(stage::dual_writing);
  auto const key = fresh_key();
  auto const id = fresh_id();
  move(key, 2);
  auto app = open_through_gate(source());
  auto session = app.session();
  require(gate_->set_refusing(true));
  gate_->cut_all();
  auto const refused = add(session, key, id);
  ASSERT_FALSE(refused);
  EXPECT_EQ(effects(shard_at(key), key), "0");
  require(gate_->set_refusing(false));
  auto done = add(session, key, id);
  for (int i = 0; i < 200 && !done; ++i) {  // the pool waits before it tries a node again that was down
    std::this_thread::sleep_for(20ms);
    done = add(session, key, id);
  }
  EXPECT_FALSE(value_of(done).replayed);
  EXPECT_EQ(effects(shard_at(key), key), "1");
}

TEST_F(operations, concurrent_calls_of_one_id_have_one_effect) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto const key = fresh_key();
  auto const id = fresh_id();
  std::atomic<int> first{}, replayed{}, failed{};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i)
      threads.emplace_back([&] {
        auto session = app.session();
        auto const done = add(session, key, id);
        ++(!done ? failed : done.value().replayed ? replayed : first);
      });
  }
  EXPECT_EQ(first, 1);
  EXPECT_EQ(replayed, 5);
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(effects(source(), key), "1");
}

TEST_F(operations, a_lost_commit_is_found_and_the_callers_retry_replays_it) {
  at_stage(stage::dual_writing);
  auto app = open_through_gate(source());
  auto session = app.session();
  auto const key = fresh_key();
  auto const id = fresh_id();
  require(gate_->arm({.direction = shardway::testing::towards::client, .message = 'C', .text = "COMMIT"}));
  EXPECT_EQ(value_of(add(session, key, id)).affected, 1);
  EXPECT_EQ(gate_->trips(), 1U);
  EXPECT_TRUE(value_of(add(session, key, id)).replayed);
  EXPECT_EQ(effects(source(), key), "1");
}

TEST_F(operations, a_commit_that_never_arrived_is_done_again_once) {
  at_stage(stage::dual_writing);
  auto app = open_through_gate(source());
  auto session = app.session();
  auto const key = fresh_key();
  require(gate_->arm({.direction = shardway::testing::towards::server, .message = 'P', .text = "COMMIT"}));
  EXPECT_EQ(value_of(add(session, key, fresh_id())).affected, 1);
  EXPECT_EQ(gate_->trips(), 1U);
  EXPECT_EQ(effects(source(), key), "1");
}

// The node is unreachable for longer than the library looks for the outcome. Without the id this would end in
// doubt.
TEST_F(operations, in_doubt_is_settled_by_the_id) {
  at_stage(stage::copying);
  auto app = open_through_gate(source(), 100ms);
  auto session = app.session();
  auto const key = fresh_key();
  auto const id = fresh_id();
  require(gate_->arm({.direction = shardway::testing::towards::client, .message = 'C', .text = "COMMIT"}));
  std::jthread const outage([&] {
    require(gate_->wait_for_trips());
    require(gate_->set_refusing(true));
    std::this_thread::sleep_for(700ms);
    require(gate_->set_refusing(false));
  });
  auto done = add(session, key, id);
  // Until the node is back, the answer is "in doubt", never "not written". It is safe to repeat the write.
  for (int i = 0; i < 100 && !done; ++i) {
    ASSERT_THAT(done.error().code(), ::testing::AnyOf(error_code::in_doubt, error_code::node_unreachable))
        << done.error().to_string();
    std::this_thread::sleep_for(50ms);
    done = add(session, key, id);
  }
  EXPECT_EQ(value_of(done).affected, 1);
  EXPECT_EQ(effects(source(), key), "1");
}

TEST_F(operations, a_transaction_is_named_too_and_its_function_is_not_run_again) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  int runs = 0;
  auto const body = [&](write_transaction& in) -> result<> {
    ++runs;
    BOOST_OUTCOME_TRYV(in.execute("shop.orders", add_sql, {text(key)}));
    BOOST_OUTCOME_TRYV(in.execute("shop.orders", add_sql, {text(key)}));
    return success();
  };
  write_options const options{.operation_id = fresh_id()};
  EXPECT_EQ(value_of(session.write("shop.orders", key, body, options)).affected, 2);
  auto const again = value_of(session.write("shop.orders", key, body, options));
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.affected, 2);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(effects(source(), key), "2");
}

TEST_F(operations, a_transaction_that_rolled_back_leaves_its_id_free) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  write_options const options{.operation_id = fresh_id()};
  auto const bad = session.execute(
      "shop.orders", key, "INSERT INTO shop.orders (order_id, customer_id, total) VALUES ($1, $1, NULL)",
      {text(key)}, options);
  EXPECT_EQ(bad.error().code(), error_code::constraint_violation);
  EXPECT_FALSE(value_of(add(session, key, options.operation_id)).replayed);
}

// W14: 40001 with an id: only the attempt that commits has an effect, and every attempt has the same id.
TEST_F(operations, a_serialization_failure_is_tried_again_under_the_same_id) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  require(add(session, key, fresh_id()));
  auto const id = fresh_id();
  int runs = 0;
  auto const body = [&](write_transaction& in) -> result<> {
    BOOST_OUTCOME_TRYV(in.query("SELECT total FROM shop.orders WHERE order_id = $1", {text(key)}));
    if (++runs == 1)
      require(source().query("UPDATE shop.orders SET note = 'between' WHERE order_id = " + text(key)));
    BOOST_OUTCOME_TRYV(in.execute("shop.orders", add_sql, {text(key)}));
    return success();
  };
  auto const done = value_of(session.write(
      "shop.orders", key, body, {.isolation = isolation_level::repeatable_read, .operation_id = id}));
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(done.retries, 1U);
  EXPECT_EQ(effects(source(), key), "2");
  EXPECT_EQ(fleet().on(source(), "SELECT count(*) FROM shardway.operation WHERE id = '" + id + "'"), "1");
}

TEST_F(operations, records_past_their_time_are_swept_by_writes) {
  at_stage(stage::observing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  require(
      source().query("INSERT INTO shardway.operation (id, digest, write_id, at) VALUES ('old', '', "
                     "gen_random_uuid(), now() - interval '49 hours'), "
                     "('young', '', gen_random_uuid(), now() - interval '47 hours')"));
  auto const left = [&] {
    return fleet().on(
        source(),
        "SELECT string_agg(id, ' ' ORDER BY id) FROM shardway.operation WHERE id IN ('old', 'young')");
  };
  for (int i = 0; i < 6000 && left() == "old young"; ++i) require(add(session, key, fresh_id()));
  EXPECT_EQ(left(), "young");
}

TEST_F(operations, illegal_ids_are_refused) {
  at_stage(stage::observing);
  auto app = fleet().open();
  auto session = app.session();
  for (auto const& id : {std::string(129, 'x'), std::string("a\0b", 3), std::string("\xff")})
    EXPECT_EQ(add(session, 1, id).error().code(), error_code::invalid_argument);
  EXPECT_EQ(value_of(add(session, fresh_key(), std::string(128, 'x'))).affected, 1);
}

// W14: a deferred constraint fails at COMMIT. Clear error, nothing in doubt, nothing on the shard.
TEST_F(operations, a_deferred_constraint_that_fails_at_commit_leaves_nothing) {
  at_stage(stage::dual_writing);
  fleet().on(source(),
             "CREATE TABLE public.parents (id bigint PRIMARY KEY); ALTER TABLE shop.orders ADD CONSTRAINT "
             "orders_parent "
             "FOREIGN KEY (customer_id) REFERENCES public.parents DEFERRABLE INITIALLY DEFERRED NOT VALID");
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const plain = insert(session, key);
  auto const named = add(session, key, fresh_id());
  std::vector<batch_row> const rows{{shard_key{key}, {text(key)}}};
  auto const batch = value_of(session.execute_batch("shop.orders", add_sql, rows));
  fleet().on(source(), "ALTER TABLE shop.orders DROP CONSTRAINT orders_parent; DROP TABLE public.parents");
  EXPECT_EQ(plain.error().code(), error_code::constraint_violation);
  EXPECT_EQ(named.error().code(), error_code::constraint_violation);
  ASSERT_EQ(batch.parts.size(), 1U);
  EXPECT_EQ(batch.parts[0].state, part_state::rolled_back);
  EXPECT_EQ(batch.parts[0].why.value().code(), error_code::constraint_violation);
  EXPECT_EQ(batch.affected, 0);
  EXPECT_EQ(app.totals().in_doubt, 0U);
  EXPECT_EQ(effects(source(), key), "0");
  EXPECT_EQ(effects(shard_at(key), key), "0");
  EXPECT_EQ(fleet().on(source(), "SELECT count(*) FROM shardway.outbox WHERE slot = " +
                                     text(slot_of(shard_key{key}).value())),
            "0");
}

// --- the caller's stop ---

TEST_F(operations, a_stop_cancels_the_running_statement_and_nothing_is_written) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  std::stop_source stop;
  require(insert(session, key));
  fleet().on(source(),
             "CREATE OR REPLACE FUNCTION shop.slow(bigint) RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT "
             "$1 FROM pg_sleep(60)'");
  std::jthread const stopping([&] {
    while (fleet().on(source(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "0")
      std::this_thread::sleep_for(5ms);
    stop.request_stop();
  });
  auto const done = session.execute(
      "shop.orders", key,
      "UPDATE shop.orders SET note = 'slow', total = shop.slow(1) WHERE order_id = $1 AND customer_id = $1",
      {text(key)}, {.cancel = stop.get_token()});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), error_code::cancelled);
  EXPECT_EQ(source_note(key), "new");
  EXPECT_EQ(insert(session, key).error().code(), error_code::constraint_violation) << "the session goes on";
  EXPECT_EQ(
      session.execute("shop.orders", key, add_sql, {text(key)}, {.cancel = stop.get_token()}).error().code(),
      error_code::cancelled);
  EXPECT_EQ(value_of(session.execute("shop.orders", key, add_sql, {text(key)},
                                     {.cancel = std::stop_source{}.get_token()}))
                .affected,
            1);
}

TEST_F(operations, a_stop_inside_a_transaction_rolls_it_back) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  std::stop_source stop;
  auto const done = session.write("shop.orders", key,
                                  [&](write_transaction& in) -> result<> {
                                    BOOST_OUTCOME_TRYV(in.execute("shop.orders", add_sql, {text(key)}));
                                    stop.request_stop();
                                    return success();
                                  },
                                  {.cancel = stop.get_token()});
  EXPECT_EQ(done.error().code(), error_code::cancelled);
  EXPECT_EQ(effects(source(), key), "0");
  EXPECT_EQ(effects(shard_at(key), key), "0");
}

TEST_F(operations, a_stop_ends_the_wait_for_a_fence) {
  at_stage(stage::dual_writing);
  auto const key = fresh_key();
  fleet().flip(source(), slot_of(shard_key{key}), 1, false);
  auto app = fleet().open();
  auto session = app.session();
  std::stop_source stop;
  std::jthread const stopping([&] {
    while (app.totals().refusals == 0) std::this_thread::sleep_for(1ms);
    stop.request_stop();
  });
  EXPECT_EQ(
      session.execute("shop.orders", key, add_sql, {text(key)}, {.cancel = stop.get_token()}).error().code(),
      error_code::cancelled);
  EXPECT_EQ(effects(source(), key), "0");
}

TEST_F(operations, a_stop_cancels_a_read) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  std::stop_source stop;
  std::jthread const stopping([&] {
    while (fleet().on(source(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "0")
      std::this_thread::sleep_for(5ms);
    stop.request_stop();
  });
  auto const done = session.read("shop.orders", key, "SELECT pg_sleep(60)", {},
                                 {.fresh = consistency::primary, .cancel = stop.get_token()});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), error_code::cancelled);
  EXPECT_EQ(session.read("shop.orders", key, "SELECT 1", {}, {.cancel = stop.get_token()}).error().code(),
            error_code::cancelled);
  EXPECT_EQ(value_of(session.read("shop.orders", key, "SELECT 1")).returned.text(0, 0), "1");
}

}  // namespace
