// The fence on real servers: who passes, who waits, who is refused (I1, I3; W21, W24, W25, W28).
#include <future>
#include <thread>

#include <gmock/gmock.h>

#include "protocol_fixture.hpp"

namespace shardway_test {
namespace {

using ::testing::HasSubstr;

class fence : public protocol_fixture {
 protected:
  static std::string refusal(result<rows> const& answer) {
    return answer ? "passed" : answer.error().sqlstate();
  }
  static std::string check(session& on, epoch expected) {
    return refusal(on.query(fence_statement("sales", slot, expected)));
  }

  /// A writer in the given isolation level that is held back by a flip in flight; what its fence read says
  /// once the flip has committed.
  std::string read_behind_a_flip(std::string const& begin, std::function<std::string(session&)> const& read,
                                 epoch held = epoch{1}) {
    auto flipper = open_source(), writer = open_source();
    run(*flipper, "BEGIN; LOCK TABLE " + names::fence_lock("sales") + " IN EXCLUSIVE MODE");
    require(flipper->query(flip_statement("sales", {slot, slot}, held, false, "w", 60000ms)));
    run(*writer, begin);
    auto waiting = std::async(std::launch::async, [&] { return read(*writer); });
    while (one(*source_, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '" +
                             names::fence_lock("sales") + "'::regclass") == "0")
      std::this_thread::sleep_for(2ms);
    run(*flipper, "COMMIT");
    return waiting.get();
  }
};

TEST_F(fence, open_row_of_the_expected_epoch_passes_and_others_are_refused_apart) {
  EXPECT_EQ(check(*source_, epoch{1}), "passed");
  EXPECT_EQ(check(*source_, epoch{2}), "SW002");
  EXPECT_EQ(check(*shard_, epoch{1}), "SW001");
}

TEST_F(fence, refusals_become_typed_errors_without_a_key) {
  auto const answer = shard_->query(fence_statement("sales", slot, epoch{1}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), error_code::fence_closed);
  EXPECT_THAT(answer.error().server_detail(), HasSubstr("group sales"));
}

TEST_F(fence, read_committed_writer_behind_a_flip_is_refused_with_either_protocol) {  // W25, M10
  EXPECT_EQ(read_behind_a_flip("BEGIN", [](session& on) { return check(on, epoch{1}); }), "SW001");
  auto const simple = [](session& on) {
    auto text = fence_statement("sales", slot, epoch{1}).sql;
    for (auto const& [from, to] : {std::pair{std::string("$1::int4"), std::string("7")}, {"$2::int4", "2"}})
      for (auto at = text.find(from); at != std::string::npos; at = text.find(from))
        text.replace(at, from.size(), to);
    return refusal(on.simple(text));
  };
  flip(*source_, {slot, slot}, epoch{2}, true);
  EXPECT_EQ(read_behind_a_flip("BEGIN", simple, epoch{2}), "SW001");
}

TEST_F(fence, repeatable_read_writer_locks_first_and_sees_the_flip) {  // W24
  auto const locked_first = [](session& on) {
    auto const locked = on.query(fence_lock_statement("sales"));
    return locked ? check(on, epoch{1}) : refusal(locked);
  };
  EXPECT_EQ(read_behind_a_flip("BEGIN ISOLATION LEVEL REPEATABLE READ", locked_first), "SW001");
}

// The trap itself (M10): shows that the rule above is needed on this version.
TEST_F(fence, repeatable_read_writer_that_does_not_lock_first_passes_on_a_stale_row) {
  EXPECT_EQ(read_behind_a_flip("BEGIN ISOLATION LEVEL REPEATABLE READ",
                               [](session& on) { return check(on, epoch{1}); }),
            "passed");
}

TEST_F(fence, writer_in_flight_holds_the_flip_back_and_a_rolled_back_savepoint_does_not) {
  auto writer = open_source(), flipper = open_source();
  run(*writer, "BEGIN");
  EXPECT_EQ(check(*writer, epoch{1}), "passed");
  run(*flipper, "SET lock_timeout = '50ms'");
  auto const refused =
      flipper->simple("BEGIN; LOCK TABLE " + names::fence_lock("sales") + " IN EXCLUSIVE MODE");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().sqlstate(), "55P03");
  run(*flipper, "ROLLBACK");
  run(*writer, "ROLLBACK; BEGIN; SAVEPOINT a");
  EXPECT_EQ(check(*writer, epoch{1}), "passed");
  run(*writer, "ROLLBACK TO SAVEPOINT a");  // W28: the lock is given back with it
  run(*flipper, "BEGIN; LOCK TABLE " + names::fence_lock("sales") + " IN EXCLUSIVE MODE; ROLLBACK");
}

TEST_F(fence, dump_does_not_block_a_flip) {  // X4
  auto dump = open_source();
  run(*dump, "BEGIN; LOCK TABLE " + names::fence_lock("sales") + ", " + names::fence("sales") +
                 " IN ACCESS SHARE MODE");
  run(*source_, "SET lock_timeout = '50ms'");
  flip(*source_, {slot, slot}, epoch{1}, false);
}

TEST_F(fence, flips_split_rows_and_epochs_never_go_back) {  // I3, K4
  flip(*source_, {slot_id{100}, slot_id{199}}, epoch{1}, false, "w", 1000ms);
  auto const rows = value_of(parse_fence(value_of(source_->query(read_fence_statement("sales")))));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_TRUE(rows[0].open && !rows[1].open && rows[2].open);
  EXPECT_EQ(rows[1].slots, (slot_range{slot_id{100}, slot_id{199}}));
  EXPECT_EQ(rows[1].wave, "w");
  flip(*source_, {slot_id{150}, slot_id{250}}, epoch{3}, true);
  auto const back =
      source_->query(flip_statement("sales", {slot_id{150}, slot_id{150}}, epoch{2}, false, {}, {}));
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().sqlstate(), "SW008");
  auto const same =
      source_->query(flip_statement("sales", {slot_id{120}, slot_id{120}}, epoch{1}, true, {}, {}));
  EXPECT_FALSE(same) << "opening a closed row under its old epoch would let stale writers in";
  auto const overflow =
      source_->query(flip_statement("sales", {slot_id{1}, slot_id{1}}, epoch{1024}, true, {}, {}));
  ASSERT_FALSE(overflow);
  EXPECT_EQ(overflow.error().sqlstate(), "SW007");
}

TEST_F(fence, following_raises_closed_rows_and_never_touches_an_open_one) {
  flip(*shard_, {slot_id{10}, slot_id{19}}, epoch{2}, true);
  require(shard_->query(follow_statement("sales", all_slots, epoch{5})));
  auto const rows = value_of(parse_fence(value_of(shard_->query(read_fence_statement("sales")))));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].epoch, epoch{5});
  EXPECT_TRUE(rows[1].open);
  EXPECT_EQ(rows[1].epoch, epoch{2});
  EXPECT_EQ(rows[2].epoch, epoch{5});
}

TEST_F(fence, client_gives_a_range_back_only_after_the_deadline_and_never_after_commit) {
  flip(*source_, {slot, slot}, epoch{1}, false, "wave-1", 60000ms);
  auto app = open(fleet_->source(), "app");
  auto const ask = [&] {
    return std::string(value_of(app->query(abandon_statement("sales", slot))).text(0, 0));
  };
  EXPECT_EQ(ask(), "not_due");
  run(*source_, "UPDATE " + names::fence("sales") +
                    " SET deadline = clock_timestamp() - interval '1 second' WHERE wave = 'wave-1'");
  run(*source_,
      "INSERT INTO shardway.wave_decision (wave, decision, decided_by) VALUES ('wave-1', 'commit', "
      "'controller')");
  EXPECT_EQ(ask(), "committed");
  run(*source_, "DELETE FROM shardway.wave_decision");
  EXPECT_EQ(ask(), "reopened");
  EXPECT_EQ(one(*source_, "SELECT decision FROM shardway.wave_decision WHERE wave = 'wave-1'"), "abort");
  EXPECT_EQ(check(*app, epoch{2}), "passed");
}

TEST_F(fence, older_controller_changes_nothing_and_a_newer_one_waits_for_its_open_transaction) {  // X2
  EXPECT_EQ(one(*source_, "SELECT shardway.raise_token(5, 'a')"), "5");
  EXPECT_EQ(one(*source_, "SELECT shardway.raise_token(3, 'b')"), "5");
  auto const old = source_->query(engine_statement(3, "stream"));
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code(), error_code::not_leader);
  auto working = open_source();
  run(*working, "BEGIN");
  require(working->query(engine_statement(5, "stream")));
  run(*source_, "SET lock_timeout = '50ms'");
  EXPECT_FALSE(source_->simple("SELECT shardway.raise_token(6, 'c')"));
  run(*working, "COMMIT");
  EXPECT_EQ(one(*source_, "SELECT shardway.raise_token(6, 'c')"), "6");
}

class write_guard_test : public protocol_fixture {
 protected:
  void guard(write_guard mode) { run(*source_, write_guard_sql(mode, "shop.orders", "sales", {})); }
};

TEST_F(write_guard_test, records_foreign_writers_then_refuses_them_and_lets_ours_pass) {
  guard(write_guard::recording);
  auto foreign = open(fleet_->source(), "app");
  run(*foreign, "SET application_name = 'night job'; INSERT INTO shop.orders VALUES (1, 1, 'x', 1)");
  EXPECT_EQ(one(*source_,
                "SELECT relation || ' ' || operation || ' ' || application_name || ' ' || role_name FROM "
                "shardway.foreign_write"),
            "shop.orders insert night job app");
  guard(write_guard::refusing);
  for (std::string const sql : {"INSERT INTO shop.orders VALUES (2, 1, 'x', 1)",
                                "UPDATE shop.orders SET note = 'y'", "DELETE FROM shop.orders"}) {
    auto const answer = foreign->simple(sql);
    ASSERT_FALSE(answer) << sql;
    EXPECT_EQ(answer.error().code(), error_code::foreign_write_refused);
  }
  EXPECT_FALSE(source_->simple("TRUNCATE shop.orders"));
  EXPECT_FALSE(source_->simple("SET session_replication_role = replica; DELETE FROM shop.orders"))
      << "ENABLE ALWAYS";
  run(*source_, "RESET session_replication_role");
  run(*foreign, "BEGIN");
  require(foreign->query(fence_statement("sales", slot, epoch{1})));
  run(*foreign, "INSERT INTO shop.orders VALUES (3, 1, 'x', 1); COMMIT");
  // W23: the setting ends with the transaction, and reads '' afterwards.
  EXPECT_FALSE(foreign->simple("INSERT INTO shop.orders VALUES (4, 1, 'x', 1)"));
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shop.orders"), "2");
}

// A transaction that passed one group's fence must not write another group's tables: nothing has checked that
// this node has authority for them.
TEST_F(write_guard_test, client_of_another_group_is_a_foreign_writer) {
  run(*source_, group_sql(node_role::source, "crm", epoch{1}, "app"));
  guard(write_guard::refusing);
  auto app = open(fleet_->source(), "app");
  run(*app, "BEGIN");
  require(app->query(fence_statement("crm", slot, epoch{1})));
  auto const answer = app->simple("INSERT INTO shop.orders VALUES (1, 1, 'x', 1)");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), error_code::foreign_write_refused);
  run(*app, "ROLLBACK; BEGIN");
  require(app->query(fence_statement("sales", slot, epoch{1})));
  run(*app, "INSERT INTO shop.orders VALUES (1, 1, 'x', 1); COMMIT");
}

TEST_F(write_guard_test, leaf_partitions_are_guarded_on_their_own) {
  run(*source_,
      "CREATE TABLE shop.events (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);"
      "CREATE TABLE shop.events_1 PARTITION OF shop.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')");
  run(*source_, write_guard_sql(write_guard::refusing, "shop.events", "sales", {"shop.events_1"}));
  EXPECT_FALSE(source_->simple("INSERT INTO shop.events VALUES (1, '2026-05-01')"));
  EXPECT_FALSE(source_->simple("INSERT INTO shop.events_1 VALUES (1, '2026-05-01')"));
  EXPECT_FALSE(source_->simple("TRUNCATE shop.events_1"));
}

TEST_F(write_guard_test, enabling_it_waits_for_writers_in_flight) {
  auto writer = open_source();
  run(*writer, "BEGIN; INSERT INTO shop.orders VALUES (1, 1, 'x', 1)");
  auto const enabled =
      source_->simple("BEGIN; SET LOCAL lock_timeout = '50ms'; " +
                      write_guard_sql(write_guard::refusing, "shop.orders", "sales", {}) + "; COMMIT");
  ASSERT_FALSE(enabled);
  EXPECT_EQ(enabled.error().sqlstate(), "55P03");
  run(*source_, "ROLLBACK");
  run(*writer, "COMMIT");
  guard(write_guard::refusing);
}

}  // namespace
}  // namespace shardway_test
