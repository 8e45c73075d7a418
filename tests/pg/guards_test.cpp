// Shows what each guard prevents. The same schedule runs with the guard on, where all is well, and with the
// guard off, where the failure occurs. Guards of a single component are switched off in that component's own
// test. Here are the guards that need a whole migration or a lost answer.
#include <cstdlib>

#include <gmock/gmock.h>

#include "kill_fixture.hpp"
#include "shardway/testing/fault_proxy.hpp"

namespace shardway_test {
namespace {

class guards : public kill_fixture {
 protected:
  void open_client(std::string const& conninfo) {
    client_.emplace(value_of(client::open({.source = {.node = "source", .conninfo = conninfo + " user=app"},
                                           .application = "service",
                                           .resolve_deadline = 300ms})));
    session_.emplace(client_->session());
  }
  result<write_receipt> append(int number) {
    return session_->execute(
        "shop.orders", shard_key(std::int64_t{7}),
        "UPDATE shop.orders SET operations = operations || $1::bigint WHERE id = 7 AND customer_id = 7",
        {std::to_string(number)});
  }
  std::string on_authority() {
    auto const read = value_of(session_->read("shop.orders", shard_key(std::int64_t{7}),
                                              "SELECT operations FROM shop.orders WHERE id = 7", {},
                                              {.fresh = consistency::primary}));
    return std::string(read.returned.text(0, 0));
  }

  /// Starts a wave and waits until it reaches the stop point.
  std::int64_t wave_stopped_at(std::string const& point, std::string const& guard) {
    run_controller(point + ":pause", guard);
    auto asked = enqueue("wave", wave_to(100));
    for (auto reached = shardway::testing::wait_for_stop(stop_file(), 1s); !reached;
         reached = shardway::testing::wait_for_stop(stop_file(), 1s))
      if (value_of(find_request(*catalog_, asked))->state == request_state::failed)
        asked = enqueue("wave", wave_to(100));
    return asked;
  }
  // Stops the stream: freezes the source's process that sends it. Nothing else needs this process.
  pid_t freeze_stream() {
    auto const sender = static_cast<pid_t>(std::stol(
        on_source("SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'shardway_shop_source'")));
    kill(sender, SIGSTOP);
    return sender;
  }
  bool streams_have_passed(std::string const& position) {
    for (auto* shard : shards())
      if (run_on(
              *shard,
              "SELECT applied_lsn >= '" + position +
                  "'::pg_lsn FROM shardway.stream_progress WHERE stream = 'source' ORDER BY id DESC LIMIT 1")
              .text(0, 0) != "t")
        return false;
    return true;
  }
  /// Writes in the last moment in which the source is open, when only the stream, which is held back, can
  /// deliver the row. Writes again after the wave. `point` names that moment. Returns the answer to the wave.
  request write_at_the_last_moment(std::string const& point, std::string const& guard) {
    start();
    run_controller();
    prepare_waves();
    open_client(address(fleet_->source()));
    auto const asked = wave_stopped_at(point, guard);
    auto const sender = freeze_stream();
    {
      shardway::testing::selected_stop_points const no_dual_write("before_dual_write_apply:error");
      EXPECT_EQ(value_of(append(1)).dual_write, dual_write_state::pending);
    }
    auto const written = on_source("SELECT pg_current_wal_insert_lsn()");
    shardway::testing::release_stop(stop_file());
    auto answer = value_of(wait_for_request(*catalog_, asked, std::chrono::steady_clock::now() + 60s));
    auto const second = append(2);
    kill(sender, SIGCONT);
    require(second);
    EXPECT_TRUE(soon([&] { return streams_have_passed(written); }));
    return answer;
  }
  void TearDown() override {
    session_.reset();
    client_.reset();
    unsetenv("SHARDWAY_GUARD_OFF");
    kill_fixture::TearDown();
  }

  std::optional<client> client_;
  std::optional<client_session> session_;
};

// X5. The marker follows the flip: while the streams are held back, the wave cannot be decided and is undone.
TEST_F(guards, marker_after_the_flip_waits_for_the_last_write) {
  auto const answer = write_at_the_last_moment("wave_before_fence", "");
  EXPECT_EQ(answer.error_code, "stall_budget_spent") << answer.error_message;
  EXPECT_EQ(on_authority(), "{1,2}");
}

TEST_F(guards, with_the_marker_before_the_flip_an_acknowledged_write_is_lost) {
  auto const answer = write_at_the_last_moment("wave_after_drain", "marker_after_flip");
  EXPECT_EQ(answer.state, request_state::done) << answer.error_message;
  EXPECT_EQ(on_authority(), "{1}")
      << "the stream was to come late, over the acknowledged write 2 on the shard";
}

// W1. The answer to COMMIT is lost, and no node can be asked for the outcome.
class lost_answers : public guards {
 protected:
  result<write_receipt> write_with_lost_answer() {
    start();
    run_controller();
    prepare_waves();
    gate_ = value_of(shardway::testing::fault_proxy::open(fleet_->source().port()));
    open_client(gate_->conninfo());
    open_two_connections();
    require(gate_->set_refusing(true));
    require(gate_->arm({.direction = shardway::testing::towards::client, .message = 'C', .text = "COMMIT"}));
    return append(2);
  }
  // The second connection serves the retry while new connections are refused.
  void open_two_connections() {
    require(
        session_->write("shop.orders", shard_key(std::int64_t{8}), [this](write_transaction& in) -> result<> {
          BOOST_OUTCOME_TRYV(in.execute(
              "shop.orders", "UPDATE shop.orders SET amount = 1 WHERE id = 8 AND customer_id = 8"));
          auto other = client_->session();
          BOOST_OUTCOME_TRYV(
              other.execute("shop.orders", shard_key(std::int64_t{7}),
                            "UPDATE shop.orders SET operations = '{1}' WHERE id = 7 AND customer_id = 7"));
          return success();
        }));
  }
  std::unique_ptr<shardway::testing::fault_proxy> gate_;
};

TEST_F(lost_answers, a_write_in_doubt_is_not_repeated) {
  auto const wrote = write_with_lost_answer();
  ASSERT_FALSE(wrote);
  EXPECT_EQ(wrote.error().code(), error_code::in_doubt) << wrote.error().to_string();
  EXPECT_EQ(on_source("SELECT operations FROM shop.orders WHERE id = 7"), "{1,2}");
}

TEST_F(lost_answers, with_a_retry_in_doubt_the_write_is_there_twice) {
  setenv("SHARDWAY_GUARD_OFF", "retry_in_doubt", 1);
  require(write_with_lost_answer());
  EXPECT_EQ(on_source("SELECT operations FROM shop.orders WHERE id = 7"), "{1,2,2}");
}

}  // namespace
}  // namespace shardway_test
