// The values of a dual write are parameters of one statement (AP14), which keeps what the guarded apply rests
// on: settings, locks in order, new snapshots, and nothing held by a client that stops (W6, W8, W9).
#include <fstream>
#include <future>
#include <iterator>
#include <thread>

#include <gmock/gmock.h>

#include "apply_fixture.hpp"
#include "shardway/testing/fault_proxy.hpp"

namespace shardway_test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST_F(guarded_apply, AP14_a_unique_violation_writes_no_row_to_the_log) {
  run(*shard_, "CREATE UNIQUE INDEX one_total ON shop.orders (total)");
  run(*shard_, "INSERT INTO shop.orders VALUES (9, 42, 'other', 1.50)");
  std::string const secret = "4000-0012-3456-7899";
  auto rows = several({"1", "2"});
  rows[0].image[3] = "7.00";
  rows[1].image[2] = secret;
  auto const answer = shard_->query(inserting(rows));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().sqlstate(), "23505");
  EXPECT_EQ(note("1"), "absent") << "all rows of the write or none";
  std::ifstream file{fleet_->shard(0).folder() / "server.log"};
  std::string const log{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(log, HasSubstr("one_total"));
  EXPECT_THAT(log, HasSubstr("STATEMENT:  WITH settings"));
  EXPECT_EQ(log.find(secret), std::string::npos);
}

TEST_F(guarded_apply, AP14_values_of_several_rows_arrive_as_they_are_under_any_settings) {
  run(*shard_, "SET array_nulls = off; SET DateStyle = 'SQL, DMY'; SET standard_conforming_strings = off");
  std::vector<text_value> const notes{"O'Hara \\ \"x\" $$ $1 \n {,}",
                                      "\xc3\x84\xe2\x82\xac\xf0\x9f\x90\x98",
                                      std::nullopt,
                                      "",
                                      "NULL",
                                      "null",
                                      " ",
                                      "\\"};
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < notes.size(); ++i) ids.push_back(std::to_string(i));
  auto rows = several(ids);
  for (std::size_t i = 0; i < notes.size(); ++i) rows[i].image[2] = notes[i];
  auto const outcomes = value_of(parse_apply(value_of(shard_->query(inserting(rows)))));
  EXPECT_THAT(outcomes, AllOf(SizeIs(notes.size()), Each(apply_outcome::applied)));
  auto const found = run(*shard_, "SELECT note FROM shop.orders ORDER BY id");
  ASSERT_EQ(found.size(), notes.size());
  for (std::size_t i = 0; i < notes.size(); ++i) {
    EXPECT_EQ(found.at(i, 0), notes[i]) << i;
  }
}

TEST_F(guarded_apply, AP14_outcomes_come_in_the_order_of_the_changes) {
  auto const old = several({"1", "2"});
  require(shard_->query(inserting(several({"1", "2"}))));
  auto const fresh = several({"3", "2", "4"});
  std::vector<apply_change> const changes{{&table_, operation::insert, &fresh[0], slot},
                                          {&table_, operation::remove, &fresh[1], slot},
                                          {&table_, operation::insert, &old[0], slot},
                                          {&table_, operation::insert, &fresh[2], slot}};
  auto const answer = shard_->query(apply_statement(write_id::make(), {changes[0], changes[1]}, 100ms));
  EXPECT_THAT(value_of(parse_apply(value_of(answer))),
              ElementsAre(apply_outcome::applied, apply_outcome::applied));
  EXPECT_EQ(note("2"), "absent");
  auto const second = shard_->query(apply_statement(write_id::make(), {changes[2], changes[3]}, 100ms));
  EXPECT_THAT(value_of(parse_apply(value_of(second))),
              ElementsAre(apply_outcome::newer_present, apply_outcome::applied));
}

TEST_F(guarded_apply, AP14_the_number_of_rows_changes_neither_text_nor_number_of_parameters) {
  std::vector<captured_row> rows(66'000, several({"0"})[0]);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].ordinal = static_cast<int>(i + 1);
    rows[i].image[0] = std::to_string(i);
  }
  auto const all = inserting(rows), two = inserting({rows[0], rows[1]});
  EXPECT_EQ(all.sql, two.sql);
  EXPECT_EQ(all.parameters.size(), two.parameters.size());
  EXPECT_FALSE(two.name.empty()) << "prepared once";
  rows.resize(2'000);  // more than a row of an answer has columns
  auto const outcomes = value_of(parse_apply(value_of(shard_->query(inserting(rows)))));
  EXPECT_THAT(outcomes, AllOf(SizeIs(rows.size()), Each(apply_outcome::applied)));
  EXPECT_EQ(one(*shard_, "SELECT count(*) FROM shop.orders"), "2000");
}

TEST_F(guarded_apply, AP14_settings_hold_for_the_write_only) {
  std::string const read =
      "SELECT concat_ws(',', current_setting('synchronous_commit'), current_setting('lock_timeout'), "
      "current_setting('DateStyle'), current_setting('array_nulls'), "
      "current_setting('shardway.writer', true))";
  run(*shard_, "SET DateStyle = 'SQL, DMY'; SET lock_timeout = '7s'; SET array_nulls = off");
  auto const before = one(*shard_, read);
  require(shard_->query(inserting(several({"1"}))));
  EXPECT_EQ(one(*shard_, read), before + ",") << "a setting of its own prefix is left empty";
  EXPECT_FALSE(shard_->in_transaction());
}

TEST_F(guarded_apply, AP14_settings_are_those_that_the_write_itself_runs_under) {
  run(*shard_,
      "CREATE TABLE shop.seen (settings text); CREATE FUNCTION shop.see() RETURNS trigger LANGUAGE plpgsql "
      "AS "
      "$$ BEGIN INSERT INTO shop.seen SELECT concat_ws(',', current_setting('synchronous_commit'), "
      "current_setting('lock_timeout'), current_setting('shardway.writer'), current_setting('TimeZone')); "
      "RETURN NULL; END $$; CREATE TRIGGER see AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION "
      "shop.see(); ALTER TABLE shop.orders ENABLE ALWAYS TRIGGER see; SET TimeZone = 'Asia/Tokyo'");
  require(shard_->query(inserting(several({"1", "2"}))));
  EXPECT_EQ(one(*shard_, "SELECT string_agg(DISTINCT settings, ' ') FROM shop.seen"),
            "off,100ms,dual_write,UTC");
}

// W8: the statement began before the other transaction committed, and its conditions still see what that one
// left.
TEST_F(guarded_apply, AP14_rows_that_were_committed_during_the_wait_are_seen) {
  auto const older = several({"1", "2"});
  require(shard_->query(inserting(several({"1"}))));
  auto newer = several({"1"});
  newer[0].image[2] = "newer";
  auto holder = open_shard();
  run(*holder, "BEGIN");
  require(holder->query(inserting(newer)));
  auto waiting = std::async(std::launch::async, [&] {
    auto mine = open_shard();
    return value_of(parse_apply(value_of(mine->query(inserting(older, 10000ms)))));
  });
  wait_for_lock();
  run(*holder, "COMMIT");
  EXPECT_THAT(waiting.get(), ElementsAre(apply_outcome::newer_present, apply_outcome::applied));
  EXPECT_EQ(note("1"), "newer");
}

TEST_F(guarded_apply, AP14_the_lock_timeout_counts_for_key_rows_and_sorted_locks) {
  require(shard_->query(inserting(several({"1", "2"}))));
  auto const rows = several({"1", "2"});
  auto holder = open_shard();
  for (auto const* held : {"SELECT 1 FROM shop.orders WHERE id = 2 FOR UPDATE",
                           "SELECT pg_advisory_xact_lock(shardway.key_lock_class('shop.orders'), "
                           "shardway.key_lock_bucket(ARRAY['2']))",
                           "LOCK TABLE shop.orders IN ACCESS EXCLUSIVE MODE"}) {
    run(*holder, std::string("BEGIN; ") + held);
    auto const began = std::chrono::steady_clock::now();
    auto const answer = shard_->query(inserting(rows, 30ms), system_clock_source().now() + 5s);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 3s) << held;
    ASSERT_FALSE(answer) << held;
    EXPECT_EQ(answer.error().sqlstate(), "55P03") << held;
    run(*holder, "ROLLBACK");
  }
}

// Two writes with the same rows in another order never wait for each other in a circle.
TEST_F(guarded_apply, AP14_key_locks_are_taken_in_order_before_any_row) {
  auto const ordered =
      run(*shard_,
          "SELECT id FROM generate_series(1, 4) AS id ORDER BY shardway.key_lock_bucket(ARRAY[id::text])");
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < ordered.size(); ++i)
    ids.insert(ids.begin(), std::string(ordered.text(i, 0)));  // the last lock first
  auto const rows = several(ids);
  auto holder = open_shard();
  run(*holder,
      "BEGIN; SELECT pg_advisory_xact_lock(shardway.key_lock_class('shop.orders'), "
      "shardway.key_lock_bucket(ARRAY['" +
          ids[1] + "']))");  // the third of four
  auto waiting = std::async(std::launch::async, [&] {
    auto mine = open_shard();
    return value_of(parse_apply(value_of(mine->query(inserting(rows, 10000ms)))));
  });
  wait_for_lock();
  std::string const waiter = "pid = (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)";
  EXPECT_EQ(
      one(*shard_, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND " + waiter),
      "2");
  EXPECT_EQ(
      one(*shard_, "SELECT count(*) FROM pg_locks WHERE relation = 'shop.orders'::regclass AND " + waiter),
      "0");
  run(*holder, "COMMIT");
  EXPECT_THAT(waiting.get(), Each(apply_outcome::applied));
}

// The server has the values and not yet the order to execute: it holds no lock, and nothing was done.
TEST_F(guarded_apply, W6_a_client_that_stops_half_way_holds_no_lock) {
  auto const proxy = value_of(shardway::testing::fault_proxy::open(fleet_->shard(0).port()));
  auto const stopped = value_of(connect({.node = "shard1", .conninfo = proxy->conninfo()}));
  auto const pid = std::to_string(stopped->identity().backend_pid);
  require(proxy->arm({.direction = shardway::testing::towards::server,
                      .message = 'E',
                      .fault = shardway::testing::proxy_fault::stall}));
  auto const rows = several({"1", "2"});
  auto waiting = std::async(
      std::launch::async, [&] { return stopped->query(inserting(rows), system_clock_source().now() + 2s); });
  require(proxy->wait_for_trips());
  while (one(*shard_, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'WITH settings%' AND pid = " +
                          pid) == "0")
    std::this_thread::sleep_for(2ms);
  EXPECT_EQ(one(*shard_, "SELECT count(*) FROM pg_locks WHERE locktype <> 'virtualxid' AND pid = " + pid),
            "0");
  require(shard_->query(inserting(rows)));
  EXPECT_EQ(waiting.get().error().code(), error_code::deadline_exceeded);
  EXPECT_EQ(one(*shard_, "SELECT count(*) FROM shop.orders"), "2");
}

}  // namespace
}  // namespace shardway_test
