// Code for libpqxx inside our transaction: what happens to its exceptions, to its COMMIT and to changes that
// capture by statement cannot see.
#include <thread>

#include "capture_fixture.hpp"
#include "lib/protocol/fence.hpp"
#include "shardway/testing/fault_proxy.hpp"
#include "support/parallel_work.hpp"

namespace {

using namespace shardway_test;

struct out_of_stock : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class uncaptured_log final : public events {
 public:
  void on_uncaptured(uncaptured_event const& told) noexcept override { rows += told.rows; }
  std::int64_t rows{};
};

using borrowed = captured;

TEST_F(borrowed, errors_of_the_server_come_back_by_their_sqlstate_and_nothing_is_written) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const failed = run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec(insert_sql(key, key));
    tx.exec(insert_sql(key, key));
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), error_code::constraint_violation);
  EXPECT_EQ(failed.error().sqlstate(), "23505");
  EXPECT_EQ(failed.error().message().find(text(key)), std::string::npos) << "a message holds no key";
  EXPECT_EQ(note_at(source(), key), "absent");
  EXPECT_TRUE(run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec(insert_sql(key, key)); }))
      << "the connection goes on";
}

TEST_F(borrowed, an_exception_of_the_application_rolls_back_and_is_thrown_on) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  EXPECT_THROW((void)run(session, key,
                         [&](pqxx::dbtransaction& tx) {
                           tx.exec(insert_sql(key, key));
                           throw out_of_stock{"none left"};
                         }),
               out_of_stock);
  EXPECT_EQ(note_at(source(), key), "absent");
}

// A failure during the loan still counts if the function goes on as if nothing had happened.
TEST_F(borrowed, an_aborted_or_failed_loan_that_is_not_given_back_by_hand_does_not_commit) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  for (bool const aborts : {true, false}) {
    auto const key = fresh_key();
    auto const done = session.write("shop.orders", key, [&](write_transaction& in) -> result<> {
      BOOST_OUTCOME_TRY(auto lent, lent_transaction::lend(in));
      (*lent).exec(insert_sql(key, key));
      if (aborts) {
        (*lent).abort();
      } else {
        EXPECT_THROW((*lent).exec(insert_sql(key, key)), pqxx::sql_error);
      }
      return success();
    });
    EXPECT_FALSE(done) << (aborts ? "aborted" : "failed");
    EXPECT_EQ(note_at(source(), key), "absent");
  }
}

TEST_F(borrowed, a_serialization_failure_runs_the_code_again) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  require(run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec(insert_sql(key, key)); }));
  int runs = 0;
  auto const done = value_of(in_pqxx_transaction(
      session, "shop.orders", key,
      [&](pqxx::dbtransaction& tx) {
        tx.exec("SELECT count(*) FROM shop.orders WHERE order_id = " + text(key));
        if (++runs == 1)
          require(source().query("UPDATE shop.orders SET note = 'between' WHERE order_id = " + text(key)));
        tx.exec("UPDATE shop.orders SET note = note || '!' WHERE order_id = " + text(key));
      },
      {}, {.isolation = isolation_level::repeatable_read}));
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(done.retries, 1U);
  EXPECT_EQ(note_at(source(), key), "between!");
  EXPECT_EQ(note_at(shard_of(key), key), "between!");
}

TEST_F(borrowed, a_fence_that_moved_sends_the_code_to_the_new_authority) {  // R10
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const slot = slot_of(shard_key{key});
  fleet_->flip(source(), slot, 1, false);
  parallel_work wave([&] {
    std::this_thread::sleep_for(100ms);
    fleet_->flip(shard_of(key), slot, 2, true);
    fleet_->assign(slot, fleet_->current().shard_of(slot), 2);
    fleet_->publish(stage::sharded);
  });
  auto const done = run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec(insert_sql(key, key)); });
  wave.finish();
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_NE(done.value().node, "source");
  EXPECT_EQ(note_at(shard_of(key), key), "new");
  EXPECT_EQ(note_at(source(), key), "absent");
}

TEST_F(borrowed, commit_is_the_librarys) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  EXPECT_THROW((void)run(session, key,
                         [&](pqxx::dbtransaction& tx) {
                           tx.exec(insert_sql(key, key));
                           tx.commit();
                         }),
               pqxx::usage_error);
  EXPECT_EQ(note_at(source(), key), "absent");
  auto const aborted = run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec(insert_sql(key, key));
    tx.abort();
  });
  ASSERT_FALSE(aborted);
  EXPECT_EQ(aborted.error().code(), error_code::cancelled);
  EXPECT_EQ(note_at(source(), key), "absent");
}

TEST_F(borrowed, a_transaction_that_the_code_ended_is_told_and_never_run_again) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  for (auto const* end : {"COMMIT", "ROLLBACK", "COMMIT; BEGIN", "ROLLBACK; BEGIN",
                          "COMMIT; BEGIN; SELECT shardway.refuse_fence('shop', 0, 1000)"}) {
    auto const key = fresh_key();
    int runs = 0;
    auto const told = run(session, key, [&](pqxx::dbtransaction& tx) {
      ++runs;
      tx.exec(insert_sql(key, key));
      tx.exec(end);
    });
    ASSERT_FALSE(told) << end;
    EXPECT_EQ(told.error().code(), error_code::statement_refused) << end << ": " << told.error().to_string();
    EXPECT_EQ(runs, 1) << end;
    EXPECT_EQ(note_at(source(), key), std::string_view(end).starts_with("COMMIT") ? "new" : "absent");
  }
  EXPECT_TRUE(run(session, fresh_key(), [](pqxx::dbtransaction& tx) { tx.exec("SELECT 1"); }));
}

TEST_F(borrowed, W28_a_rollback_to_before_the_loan_is_refused) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  auto const told = session.write("shop.orders", key, [&](write_transaction& tx) -> result<> {
    BOOST_OUTCOME_TRYV(tx.savepoint("older"));
    BOOST_OUTCOME_TRY(auto lent, lent_transaction::lend(tx));
    EXPECT_FALSE(tx.query("SELECT 1")) << "lent";
    lent->exec(insert_sql(key, key));
    lent->exec("ROLLBACK TO SAVEPOINT older");
    return lent.give_back();
  });
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code(), error_code::statement_refused);
}

TEST_F(borrowed, a_commit_without_an_answer_is_found_out_and_what_was_captured_still_reaches_the_shard) {
  at_stage(stage::dual_writing);
  auto const proxy = value_of(shardway::testing::fault_proxy::open(source().port()));
  auto wanted = fleet_->options();
  wanted.source.conninfo = proxy->conninfo();
  wanted.generation_interval = 60s;
  auto app = value_of(client::open(wanted));
  auto session = app.session();
  auto const key = fresh_key();
  int runs = 0;
  require(proxy->arm({.direction = shardway::testing::towards::client, .message = 'C', .text = "COMMIT"}));
  auto const done = value_of(run(session, key, [&](pqxx::dbtransaction& tx) {
    ++runs;
    tx.exec(insert_sql(key, key));
  }));
  EXPECT_EQ(proxy->trips(), 1U);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(done.outcome, commit_outcome_kind::committed);
  EXPECT_EQ(done.dual_write, dual_write_state::applied) << done.dual_write_reason;
  EXPECT_EQ(note_at(shard_of(key), key), "new");
}

TEST_F(borrowed, W13_a_raw_change_is_refused_where_statements_are_captured_and_side_effects_are_not) {
  at_stage(stage::dual_writing, capture_kind::statement);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  for (auto const& sql :
       {insert_sql(key, key), std::string("SELECT shop.add_order(") + text(key) + ", " + text(key) + ")",
        std::string("TRUNCATE shop.items")}) {
    auto const refused = run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec(sql); });
    ASSERT_FALSE(refused) << sql;
    EXPECT_EQ(refused.error().code(), error_code::statement_refused);
    EXPECT_EQ(refused.error().sqlstate(), "SW009");
  }
  auto const queried = session.write("shop.orders", key, [&](write_transaction& tx) -> result<> {
    BOOST_OUTCOME_TRYV(tx.query("SELECT shop.add_order($1, $1)", {text(key)}));
    return success();
  });
  ASSERT_FALSE(queried);
  EXPECT_EQ(queried.error().sqlstate(), "SW009");
  // Framed statements before and after are allowed, and so are changes by triggers.
  auto const done = value_of(session.write("shop.orders", key, [&](write_transaction& tx) -> result<> {
    BOOST_OUTCOME_TRYV(tx.execute("shop.orders", insert_sql(key, key, "stamped")));
    {
      BOOST_OUTCOME_TRY(auto lent, lent_transaction::lend(tx));
      EXPECT_EQ(lent->query_value<std::string>("SELECT note FROM shop.orders WHERE order_id = " + text(key)),
                "stamped+");
      BOOST_OUTCOME_TRYV(lent.give_back());
    }
    BOOST_OUTCOME_TRYV(tx.execute("shop.items", "INSERT INTO shop.items VALUES ($1, 1, $1)",
                                  std::vector<text_value>{text(key)}));
    BOOST_OUTCOME_TRYV(tx.savepoint("here"));
    BOOST_OUTCOME_TRYV(tx.query("SELECT 1"));
    BOOST_OUTCOME_TRYV(tx.rollback_to("here"));
    BOOST_OUTCOME_TRYV(tx.execute("shop.items", "INSERT INTO shop.items VALUES ($1, 2, $1)",
                                  std::vector<text_value>{text(key)}));
    return success();
  }));
  EXPECT_EQ(done.affected, 3);
  auto const gone =
      session.execute("shop.orders", key, "DELETE FROM shop.orders WHERE order_id = $1", {text(key)});
  EXPECT_TRUE(gone) << "a cascade is a side effect";
}

TEST_F(borrowed, without_the_refusal_a_raw_change_escapes) {
  at_stage(stage::dual_writing, capture_kind::statement);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  setenv("SHARDWAY_GUARD_OFF", "raw_refused", 1);
  auto const escaped = run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec(insert_sql(key, key)); });
  unsetenv("SHARDWAY_GUARD_OFF");
  ASSERT_TRUE(escaped);
  EXPECT_EQ(outbox_of(escaped.value()), "");
  EXPECT_EQ(note_at(shard_of(key), key), "absent");
}

TEST_F(borrowed, before_dual_writing_what_would_escape_is_told) {
  auto const told = std::make_shared<uncaptured_log>();
  auto wanted = fleet_->options();
  wanted.listener = told;
  at_stage(stage::observing, capture_kind::statement);
  auto app = value_of(client::open(wanted));
  auto session = app.session();
  auto const key = fresh_key();
  auto const done =
      value_of(run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec(insert_sql(key, key)); }));
  EXPECT_EQ(done.affected, 1);
  EXPECT_EQ(told->rows, 1);
  require(session.execute("shop.orders", key, "UPDATE shop.orders SET note = 'x' WHERE order_id = $1",
                          {text(key)}));
  require(run(session, key, [&](pqxx::dbtransaction& tx) { tx.exec("SELECT 1"); }));
  EXPECT_EQ(told->rows, 1) << "framed statements and reads are not told";
  at_stage(stage::replicating, capture_kind::statement);
  require(app.refresh());
  require(run(session, key, [&](pqxx::dbtransaction& tx) {
    tx.exec("UPDATE shop.orders SET note = 'y' WHERE order_id = $1", pqxx::params{key});
  }));
  EXPECT_EQ(told->rows, 2);
  at_stage(stage::observing);
  require(app.refresh());
  EXPECT_EQ(value_of(run(session, key,
                         [&](pqxx::dbtransaction& tx) {
                           tx.exec("UPDATE shop.orders SET note = 'z' WHERE order_id = $1",
                                   pqxx::params{key});
                         }))
                .affected,
            1);
  EXPECT_EQ(told->rows, 2) << "triggers will capture it";
}

TEST_F(borrowed, a_client_of_an_older_generation_learns_that_capture_has_changed) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  int runs = 0;
  auto const refused = run(session, key, [&](pqxx::dbtransaction& tx) {
    if (++runs == 1) at_stage(stage::dual_writing, capture_kind::statement);
    tx.exec(insert_sql(key, key));
  });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().sqlstate(), "SW009");
  EXPECT_EQ(runs, 2) << "under the generation that it found it is refused for good";
}

TEST_F(borrowed, a_connection_lost_while_lent_runs_the_code_again) {
  at_stage(stage::dual_writing);
  auto app = fleet_->open();
  auto session = app.session();
  auto const key = fresh_key();
  int runs = 0;
  auto const done = run(session, key, [&](pqxx::dbtransaction& tx) {
    auto const pid = tx.query_value<int>("SELECT pg_backend_pid()");
    if (++runs == 1) require(source().query("SELECT pg_terminate_backend(" + std::to_string(pid) + ")"));
    tx.exec(insert_sql(key, key));
  });
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(note_at(shard_of(key), key), "new");
}

}  // namespace
