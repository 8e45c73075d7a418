// Writes whose COMMIT lost its answer (W1): what the library finds out, what it retries and what stays in
// doubt.
#include <thread>

#include <gmock/gmock.h>

#include "shardway/base/stop_point.hpp"
#include "shardway/testing/fault_proxy.hpp"
#include "write_fixture.hpp"

namespace {

using namespace shardway_test;

// COMMIT arrives at the source and its answer is lost.
class commits_in_doubt : public writes {
 protected:
  client open_through_gate(std::chrono::milliseconds resolve = 5000ms) {
    gate_ = value_of(shardway::testing::fault_proxy::open(source().port()));
    auto options = fleet().options();
    options.source.conninfo = gate_->conninfo();
    options.resolve_deadline = resolve;
    options.generation_interval = 60s;
    return value_of(client::open(options));
  }
  void lose(shardway::testing::towards direction, char message) {
    require(gate_->arm({.direction = direction, .message = message, .text = "COMMIT"}));
  }
  std::unique_ptr<shardway::testing::fault_proxy> gate_;
};

TEST_F(commits_in_doubt, one_statement_committed_is_found_and_still_reaches_the_shard) {
  at_stage(stage::dual_writing);
  auto app = open_through_gate();
  auto session = app.session();
  auto const key = fresh_key();
  lose(shardway::testing::towards::client, 'C');
  auto const done = value_of(insert(session, key));
  EXPECT_EQ(gate_->trips(), 1U);
  EXPECT_EQ(done.outcome, commit_outcome_kind::committed);
  EXPECT_EQ(done.retries, 0U);
  EXPECT_EQ(done.affected, 1);
  EXPECT_EQ(done.dual_write, dual_write_state::applied) << done.dual_write_reason;
  EXPECT_EQ(outbox_rows(done.id), "1");
  EXPECT_TRUE(done.position.is_set());
}

TEST_F(commits_in_doubt, without_an_outbox_the_transactions_id_tells) {
  at_stage(stage::copying);
  auto app = open_through_gate();
  auto session = app.session();
  auto const key = fresh_key();
  lose(shardway::testing::towards::client, 'C');
  auto const done = value_of(insert(session, key));
  EXPECT_EQ(gate_->trips(), 1U);
  EXPECT_EQ(done.retries, 0U);
  EXPECT_EQ(source_note(key), "new");
}

TEST_F(commits_in_doubt, a_commit_that_never_arrived_is_known_to_be_rolled_back_and_done_again) {
  at_stage(stage::dual_writing);
  auto app = open_through_gate();
  auto session = app.session();
  auto const key = fresh_key();
  int runs = 0;
  auto const body = [&](write_transaction& in) -> result<> {
    ++runs;
    BOOST_OUTCOME_TRYV(in.execute(
        "shop.orders", "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)}));
    return success();
  };
  lose(shardway::testing::towards::server, 'P');
  auto const done = value_of(session.write("shop.orders", key, body));
  EXPECT_EQ(gate_->trips(), 1U);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(done.retries, 1U);
  EXPECT_EQ(outbox_rows(done.id), "1");
}

TEST_F(commits_in_doubt, a_transaction_whose_commit_is_lost_is_run_once) {
  at_stage(stage::dual_writing);
  auto app = open_through_gate();
  auto session = app.session();
  auto const key = fresh_key();
  int runs = 0;
  lose(shardway::testing::towards::client, 'C');
  auto const done = value_of(session.write("shop.orders", key, [&](write_transaction& in) -> result<> {
    ++runs;
    BOOST_OUTCOME_TRYV(in.execute(
        "shop.orders", "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)", {text(key)}));
    return success();
  }));
  EXPECT_EQ(gate_->trips(), 1U);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(done.dual_write, dual_write_state::applied) << done.dual_write_reason;
  EXPECT_EQ(shard_note(key), "new");
}

TEST_F(commits_in_doubt, a_function_called_by_a_query_is_not_run_again) {
  at_stage(stage::copying);
  fleet().on(source(),
             "CREATE TABLE public.calls (n int); CREATE FUNCTION public.called() RETURNS int LANGUAGE sql AS "
             "$$ INSERT INTO public.calls VALUES (1) RETURNING n $$");
  auto app = open_through_gate();
  auto session = app.session();
  for (bool const in_savepoint : {false, true}) {
    lose(shardway::testing::towards::client, 'C');
    auto const done = session.write("shop.orders", fresh_key(), [&](write_transaction& in) -> result<> {
      BOOST_OUTCOME_TRYV(in.query("SELECT public.called()", {}));
      if (!in_savepoint) return success();
      BOOST_OUTCOME_TRYV(in.savepoint("later"));
      return in.rollback_to("later");
    });
    EXPECT_TRUE(done);
    EXPECT_EQ(fleet().on(source(), "SELECT count(*) FROM public.calls"), in_savepoint ? "2" : "1");
  }
  EXPECT_EQ(gate_->trips(), 2U);
  fleet().on(source(), "DROP FUNCTION public.called; DROP TABLE public.calls");
}

TEST_F(commits_in_doubt, what_cannot_be_found_out_stays_in_doubt_and_names_the_write) {  // W1, W5
  at_stage(stage::dual_writing);
  auto app = open_through_gate(300ms);
  auto session = app.session();
  auto const key = fresh_key();
  require(insert(session, fresh_key()));
  require(gate_->set_refusing(true));
  lose(shardway::testing::towards::client, 'C');
  auto const done = insert(session, key);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), error_code::in_doubt);
  EXPECT_THAT(done.error().message(), ::testing::HasSubstr("write 0"));
  EXPECT_EQ(app.totals().in_doubt, 1U);
  EXPECT_EQ(source_note(key), "new");
  EXPECT_EQ(shard_note(key), "absent") << "nothing goes to the shard on a guess";
}

}  // namespace
