// Writes in every stage, on a real source and shards: what is sent, what is captured, what the shard gets,
// what the caller learns.
#include <fstream>
#include <future>
#include <iterator>
#include <thread>

#include <gmock/gmock.h>

#include "lib/protocol/fence.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/testing/fault_proxy.hpp"
#include "write_fixture.hpp"

namespace {

using namespace shardway_test;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(writes, observing_sends_the_statement_unchanged) {
  at_stage(stage::observing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(session.execute("shop.orders", key,
                                             "WITH x AS (SELECT 1) INSERT INTO shop.orders (order_id, "
                                             "customer_id) VALUES ($1, $2) RETURNING note, doubled",
                                             {text(key), text(key)}));
  EXPECT_EQ(done.outcome, commit_outcome_kind::committed);
  EXPECT_EQ(done.dual_write, dual_write_state::none);
  EXPECT_EQ(done.node, "source");
  EXPECT_EQ(done.affected, 1);
  EXPECT_EQ(done.returned.text(0, 0), "new");
  EXPECT_TRUE(done.position.is_set());
  EXPECT_EQ(shard_note(key), "absent");
}

TEST_F(writes, a_write_that_fails_at_its_own_commit_is_not_acknowledged) {
  at_stage(stage::observing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  fleet().on(source(),
             "CREATE TABLE public.parents (id bigint PRIMARY KEY); ALTER TABLE shop.orders ADD CONSTRAINT "
             "orders_parent "
             "FOREIGN KEY (customer_id) REFERENCES public.parents DEFERRABLE INITIALLY DEFERRED NOT VALID");
  auto const orphan = insert(session, key);
  fleet().on(source(), "ALTER TABLE shop.orders DROP CONSTRAINT orders_parent; DROP TABLE public.parents");
  ASSERT_FALSE(orphan);
  EXPECT_EQ(orphan.error().code(), error_code::constraint_violation);
  EXPECT_EQ(source_note(key), "absent");
}

TEST_F(writes, copying_checks_the_key_and_leaves_no_outbox_row) {
  at_stage(stage::copying);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(insert(session, key));
  EXPECT_EQ(done.affected, 1);
  EXPECT_EQ(done.epoch, epoch{1});
  EXPECT_EQ(done.dual_write, dual_write_state::none);
  EXPECT_EQ(outbox_rows(done.id), "0");
  EXPECT_EQ(source_note(key), "new");
}

TEST_F(writes, dual_writing_puts_the_row_as_it_came_out_on_its_shard) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(session.execute(
      "shop.orders", key,
      "INSERT INTO shop.orders (order_id, customer_id, total) VALUES ($1, $2, $3) RETURNING *",
      {text(key), text(key), "2.25"}));
  EXPECT_EQ(done.dual_write, dual_write_state::applied) << done.dual_write_reason;
  ASSERT_EQ(done.versions.size(), 1U);
  EXPECT_EQ(done.versions[0].at_epoch(), epoch{1});
  EXPECT_LE(done.versions[0].position(), done.position);
  ASSERT_EQ(done.returned.columns().size(), 5U);
  EXPECT_EQ(done.returned.columns()[4].name, "doubled");
  EXPECT_EQ(done.returned.text(0, 4), "4.50");
  EXPECT_EQ(outbox_rows(done.id), "1");
  auto& shard = fleet().shard_of(slot_of(key));
  EXPECT_EQ(
      fleet().on(
          shard,
          "SELECT note || total || doubled || '/' || _shardway_version FROM shop.orders WHERE order_id = " +
              text(key)),
      "new2.254.50/" + std::to_string(done.versions[0].bigint()));
  EXPECT_EQ(fleet().on(shard, "SELECT count(*) FROM shardway.dual_applied WHERE write_id = '" +
                                  done.id.to_string() + "'"),
            "1");

  auto const changed = value_of(session.execute(
      "shop.orders", key,
      "UPDATE shop.orders o SET note = $2 WHERE order_id = $1 AND customer_id = $3 RETURNING o.note AS said",
      {text(key), "it's", text(key)}));
  EXPECT_EQ(changed.returned.columns()[0].name, "said");
  EXPECT_EQ(changed.returned.text(0, 0), "it's");
  EXPECT_GT(changed.versions.at(0), done.versions[0]);
  EXPECT_EQ(shard_note(key), "it's");

  auto const gone = value_of(
      session.execute("shop.orders", key, "DELETE FROM shop.orders WHERE order_id = $1", {text(key)}));
  EXPECT_EQ(gone.dual_write, dual_write_state::applied) << gone.dual_write_reason;
  EXPECT_EQ(gone.affected, 1);
  EXPECT_EQ(shard_note(key), "absent");
  auto const nothing = value_of(
      session.execute("shop.orders", key, "DELETE FROM shop.orders WHERE order_id = $1", {text(key)}));
  EXPECT_EQ(nothing.affected, 0);
  EXPECT_EQ(nothing.dual_write, dual_write_state::none);
  EXPECT_EQ(app.totals().dual_writes_applied, 3U);
}

TEST_F(writes, a_transaction_of_several_statements_is_one_write) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(session.write("shop.orders", key, [&](write_transaction& in) -> result<> {
    BOOST_OUTCOME_TRYV(in.execute(
        "shop.orders", "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)}));
    BOOST_OUTCOME_TRY(auto const two, in.execute("shop.items",
                                                 "INSERT INTO shop.items (order_id, line, customer_id) "
                                                 "VALUES ($1, 1, $1), ($1, 2, $1) RETURNING line",
                                                 {text(key)}));
    EXPECT_EQ(two.affected(), 2);
    BOOST_OUTCOME_TRY(auto const seen,
                      in.query("SELECT count(*) FROM shop.items WHERE order_id = $1", {text(key)}));
    EXPECT_EQ(seen.text(0, 0), "2");
    BOOST_OUTCOME_TRYV(
        in.execute("shop.orders", "UPDATE shop.orders SET note = 'twice' WHERE order_id = $1", {text(key)}));
    return success();
  }));
  EXPECT_EQ(done.affected, 4);
  EXPECT_EQ(done.dual_write, dual_write_state::applied) << done.dual_write_reason;
  EXPECT_EQ(done.dual_write_rows, 4);
  EXPECT_EQ(outbox_rows(done.id), "4");
  EXPECT_EQ(
      fleet().on(
          source(),
          "SELECT string_agg(ordinal::text, ',' ORDER BY ordinal) FROM shardway.outbox WHERE write_id = '" +
              done.id.to_string() + "'"),
      "1,2,3,4");
  EXPECT_EQ(shard_note(key), "twice");
  EXPECT_EQ(fleet().on(fleet().shard_of(slot_of(key)),
                       "SELECT count(*) FROM shop.items WHERE order_id = " + text(key)),
            "2");
}

TEST_F(writes, what_a_savepoint_gave_back_is_not_written_to_the_shard) {  // W14
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(session.write("shop.orders", key, [&](write_transaction& in) -> result<> {
    BOOST_OUTCOME_TRYV(in.savepoint("before it"));
    BOOST_OUTCOME_TRYV(in.execute(
        "shop.orders", "INSERT INTO shop.orders (order_id, customer_id, note) VALUES ($1, $1, 'first')",
        {text(key)}));
    EXPECT_FALSE(in.execute("shop.orders", "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)",
                            {text(key)}))
        << "a duplicate key";
    BOOST_OUTCOME_TRYV(in.rollback_to("before it"));
    BOOST_OUTCOME_TRYV(in.execute(
        "shop.orders", "INSERT INTO shop.orders (order_id, customer_id, note) VALUES ($1, $1, 'second')",
        {text(key)}));
    return success();
  }));
  EXPECT_EQ(done.affected, 1);
  EXPECT_EQ(done.versions.size(), 1U);
  EXPECT_EQ(outbox_rows(done.id), "1");
  EXPECT_EQ(shard_note(key), "second");
}

TEST_F(writes, an_error_of_the_function_rolls_back_and_comes_out) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const failed = session.write("shop.orders", key, [&](write_transaction& in) -> result<> {
    BOOST_OUTCOME_TRYV(in.execute(
        "shop.orders", "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)}));
    return error{error_code::invalid_argument, "the customer changed their mind"};
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), error_code::invalid_argument);
  EXPECT_EQ(source_note(key), "absent");
  EXPECT_EQ(shard_note(key), "absent");
}

TEST_F(writes, a_row_of_another_shard_key_raises_in_each_fenced_stage) {  // W29
  auto const key = fresh_key(), other = fresh_key();
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  require(insert(session, other));
  for (auto const at : {stage::copying, stage::dual_writing}) {
    fleet().publish(at);
    require(app.refresh());
    auto const refused = session.execute(
        "shop.orders", key, "UPDATE shop.orders SET note = 'stolen' WHERE order_id = $1", {text(other)});
    ASSERT_FALSE(refused) << name(at);
    EXPECT_EQ(refused.error().code(), error_code::shard_key_mismatch);
    EXPECT_EQ(source_note(other), "new");
  }
}

TEST_F(writes, what_cannot_be_captured_is_refused_before_anything_is_sent) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  for (auto const* sql :
       {"WITH x AS (DELETE FROM shop.orders RETURNING 1) SELECT * FROM x", "TRUNCATE shop.orders", "SELECT 1",
        "DELETE FROM orders", "INSERT INTO shop.currencies VALUES ('EUR', 'euro')",
        "DELETE FROM shop.orders; DELETE FROM shop.orders"}) {
    auto const refused = session.execute("shop.orders", key, sql);
    ASSERT_FALSE(refused) << sql;
    EXPECT_EQ(refused.error().code(), error_code::statement_refused) << sql;
    EXPECT_NE(refused.error().hint(), "");
  }
  EXPECT_EQ(session.execute("shop.orders", key, "DELETE FROM shop.orders WHERE order_id = $1").error().code(),
            error_code::invalid_argument);
  EXPECT_EQ(session.execute("shop.none", key, "DELETE FROM shop.none").error().code(),
            error_code::unknown_table);
  EXPECT_EQ(session.execute("shop.orders", {}, "DELETE FROM shop.orders").error().code(),
            error_code::shard_key_missing);
}

TEST_F(writes, constraint_errors_come_out_and_leave_nothing) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  require(insert(session, key));
  auto const again = insert(session, key, "again");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), error_code::constraint_violation);
  EXPECT_EQ(shard_note(key), "new");
}

TEST_F(writes, a_reference_table_is_written_on_the_source_under_its_fence) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const done = value_of(session.execute(
      "shop.currencies", {}, "INSERT INTO shop.currencies VALUES ($1, $2) RETURNING name", {"SEK", "krona"}));
  EXPECT_EQ(done.node, "source");
  EXPECT_EQ(done.dual_write, dual_write_state::none);
  EXPECT_EQ(done.returned.text(0, 0), "krona");
}

TEST_F(writes, our_writes_pass_a_refusing_guard_and_others_do_not) {
  at_stage(stage::dual_writing);
  require(source().query(write_guard_sql(write_guard::refusing, "shop.orders", "shop", {})));
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  EXPECT_EQ(value_of(insert(session, key)).dual_write, dual_write_state::applied);
  EXPECT_FALSE(source().query("DELETE FROM shop.orders WHERE order_id = " + text(key)));
  require(source().query(write_guard_sql(write_guard::absent, "shop.orders", "shop", {})));
}

TEST_F(writes, async_returns_before_the_shard_and_reaches_it_soon) {
  at_stage(stage::dual_writing, dual_write_mode::async);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const done = value_of(insert(session, key));
  EXPECT_EQ(done.dual_write, dual_write_state::pending);
  for (int i = 0; i < 200 && app.totals().dual_writes_applied == 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(app.totals().dual_writes_applied, 1U);
  EXPECT_EQ(shard_note(key), "new");
}

TEST_F(writes, a_stopped_shard_leaves_writes_pending_and_the_breaker_open) {  // W18
  at_stage(stage::dual_writing, dual_write_mode::sync, 300ms);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto& shard = fleet().shard_of(slot_of(key));
  require(insert(session, key));
  require(shard.stop(shardway::testing::stop_mode::immediate));
  for (int i = 0; i < 8; ++i) {
    auto const done = value_of(session.execute(
        "shop.orders", key, "UPDATE shop.orders SET note = $2 WHERE order_id = $1", {text(key), "down"}));
    EXPECT_EQ(done.outcome, commit_outcome_kind::committed);
    EXPECT_EQ(done.dual_write, dual_write_state::pending);
    if (i == 7) {
      EXPECT_THAT(done.dual_write_reason, ::testing::HasSubstr("breaker"));
    }
  }
  EXPECT_EQ(source_note(key), "down");
  require(shard.start());
  write_receipt last;
  for (int i = 0; i < 100 && last.dual_write != dual_write_state::applied; ++i) {
    std::this_thread::sleep_for(50ms);
    last = value_of(session.execute("shop.orders", key,
                                    "UPDATE shop.orders SET note = 'back' WHERE order_id = $1", {text(key)}));
  }
  EXPECT_EQ(last.dual_write, dual_write_state::applied) << last.dual_write_reason;
  EXPECT_EQ(shard_note(key), "back");
}

TEST_F(writes, a_shard_that_hangs_costs_no_more_than_the_budget) {  // W18
  at_stage(stage::dual_writing, dual_write_mode::sync, 200ms);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  require(insert(session, key));
  auto& shard = fleet().shard_of(slot_of(key));
  require(shard.pause());
  auto const begun = std::chrono::steady_clock::now();
  auto const done = session.execute("shop.orders", key,
                                    "UPDATE shop.orders SET note = 'slow' WHERE order_id = $1", {text(key)});
  auto const took = std::chrono::steady_clock::now() - begun;
  require(shard.resume());
  EXPECT_EQ(value_of(done).dual_write, dual_write_state::pending);
  EXPECT_LT(took, 700ms);
}

TEST_F(writes, one_row_the_shard_refuses_is_pending_with_its_error) {  // W18
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  auto& shard = fleet().shard_of(slot_of(key));
  require(shard.query("ALTER TABLE shop.orders ADD CONSTRAINT narrow CHECK (note <> 'wide')"));
  auto const done = value_of(insert(session, key, "wide"));
  require(shard.query("ALTER TABLE shop.orders DROP CONSTRAINT narrow"));
  EXPECT_EQ(done.dual_write, dual_write_state::pending);
  EXPECT_THAT(done.dual_write_reason, ::testing::HasSubstr("23514"));
  EXPECT_EQ(source_note(key), "wide");
}

TEST_F(writes, a_late_dual_write_is_refused_by_an_authoritative_shard) {  // W7
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  fleet().flip(fleet().shard_of(slot_of(key)), slot_of(key), 2, true);
  auto const done = value_of(insert(session, key));
  EXPECT_EQ(done.dual_write, dual_write_state::refused);
  EXPECT_EQ(done.dual_write_reason, "authority");
  EXPECT_EQ(shard_note(key), "absent");
}

TEST_F(writes, nothing_is_sent_to_the_shard_unless_the_source_has_committed) {  // W5
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  stop_points::select("after_source_commit:error");
  auto const done = value_of(insert(session, key));
  stop_points::select("");
  EXPECT_EQ(done.dual_write, dual_write_state::pending);
  EXPECT_EQ(source_note(key), "new");
  EXPECT_EQ(shard_note(key), "absent");
}

TEST_F(writes, a_deadlock_or_serialization_failure_runs_the_function_again_with_one_write_id) {  // W14
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  auto const key = fresh_key();
  require(insert(session, key, "0"));
  std::vector<write_id> ids;
  auto const done = value_of(session.write(
      "shop.orders", key,
      [&](write_transaction& in) -> result<> {
        ids.push_back(in.id());
        BOOST_OUTCOME_TRYV(in.query("SELECT note FROM shop.orders WHERE order_id = $1", {text(key)}));
        if (ids.size() == 1)
          fleet().on(source(), "UPDATE shop.orders SET note = '1' WHERE order_id = " + text(key));
        BOOST_OUTCOME_TRYV(in.execute(
            "shop.orders", "UPDATE shop.orders SET note = note || '+' WHERE order_id = $1", {text(key)}));
        return success();
      },
      {.isolation = isolation_level::repeatable_read}));
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_EQ(done.retries, 1U);
  EXPECT_EQ(outbox_rows(done.id), "1");
  EXPECT_EQ(source_note(key), "1+");
  EXPECT_EQ(shard_note(key), "1+");
}

TEST_F(writes, values_that_look_like_sql_stay_values) {
  at_stage(stage::dual_writing);
  auto app = fleet().open();
  auto session = app.session();
  for (std::string const note : {"'; DROP TABLE shop.orders; --", "$1", "\\'x", "E'\\\\'", "ÄÖ\n\t\"q\""}) {
    auto const key = fresh_key();
    EXPECT_EQ(value_of(insert(session, key, note)).dual_write, dual_write_state::applied);
    EXPECT_EQ(shard_note(key), note);
  }
}

// AP14: what the shard writes down and shows of a dual write that waits and fails.
TEST_F(writes, AP14_row_values_are_in_no_log_and_no_statement_of_the_shard) {
  at_stage(stage::dual_writing);
  auto service = fleet().open();
  auto session = service.session();
  auto const key = fresh_key();
  require(insert(session, key));
  auto& shard = fleet().shard_of(slot_of(key));
  auto const watcher = value_of(connect({.node = shard.name(), .conninfo = shard.conninfo()}));
  auto const locker = value_of(connect({.node = shard.name(), .conninfo = shard.conninfo()}));
  require(locker->simple("BEGIN; SELECT 1 FROM shop.orders WHERE order_id = " + text(key) + " FOR UPDATE"));
  std::string const secret = "ada+" + text(key) + "@example.com";
  auto writing = std::async(std::launch::async, [&] {
    return session.execute("shop.orders", key, "UPDATE shop.orders SET note = $1 WHERE order_id = $2",
                           {secret, text(key)});
  });
  std::string shown;
  while (writing.wait_for(1ms) != std::future_status::ready) {
    auto const waiting = value_of(
        watcher->simple("SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query <> ''"));
    if (!waiting.empty()) shown = waiting.text(0, 0);
  }
  auto const receipt = value_of(writing.get());
  EXPECT_EQ(receipt.dual_write, dual_write_state::pending);
  EXPECT_THAT(receipt.dual_write_reason, HasSubstr("55P03"));
  EXPECT_THAT(shown, AllOf(HasSubstr("apply_"), Not(HasSubstr(secret))));
  std::ifstream file{shard.folder() / "server.log"};
  std::string const log{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(log, HasSubstr("canceling statement due to lock timeout"));
  EXPECT_THAT(log, HasSubstr("STATEMENT:"));
  EXPECT_EQ(log.find(secret), std::string::npos);
  require(locker->simple("ROLLBACK"));
}

}  // namespace
