// The capture frame on the source and the guarded apply on a shard (I4, I9; W6, W7, W8, W9, W11, W29, W30).
#include <future>
#include <thread>

#include <gmock/gmock.h>

#include "apply_fixture.hpp"

namespace shardway_test {
namespace {

using ::testing::ElementsAre;
TEST_F(guarded_apply, captured_write_leaves_its_row_outbox_entry_and_image) {
  captured_statement const user{.operation = operation::insert,
                                .body = "INSERT INTO shop.orders VALUES (1, 42, 'a', 1.5)",
                                .alias = "orders",
                                .returning = "id, total * 2 AS twice",
                                .parameter_count = 0};
  auto const id = write_id::make();
  auto const rows = value_of(capture(user, "42", id));
  ASSERT_EQ(rows.user.columns().size(), 2u);
  EXPECT_EQ(rows.user.text(0, 1), "3.00");
  ASSERT_EQ(rows.changed.size(), 1u);
  EXPECT_EQ(rows.changed[0].image[3], text_value("1.50"));
  EXPECT_EQ(one(*source_,
                "SELECT write_id || ' ' || ordinal || ' ' || epoch || ' ' || slot || ' ' || operation::text "
                "|| ' ' || key_values::text || ' ' || shard_key_values::text FROM shardway.outbox"),
            id.to_string() + " 1 1 7 i {1} {42}");
  EXPECT_EQ(one(*source_, "SELECT version FROM shardway.outbox"),
            std::to_string(rows.changed[0].version.bigint()));
}

TEST_F(guarded_apply, statement_that_changes_a_row_of_another_shard_key_is_refused_as_a_whole) {
  run(*source_, "INSERT INTO shop.orders VALUES (1, 42, 'a', 1), (2, 43, 'b', 1)");
  captured_statement const user{.operation = operation::update,
                                .body = "UPDATE shop.orders SET note = 'c'",
                                .alias = "orders",
                                .returning = "",
                                .parameter_count = 0};
  auto const answer = capture(user, "42");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), error_code::shard_key_mismatch);
  EXPECT_EQ(one(*source_, "SELECT string_agg(note, ',' ORDER BY id) FROM shop.orders"), "a,b");
}

TEST_F(guarded_apply, versions_of_a_hot_row_follow_its_commits) {  // M1
  run(*source_, "INSERT INTO shop.orders VALUES (1, 42, '', 1)");
  std::vector<std::future<void>> writers;
  for (int w = 0; w < 6; ++w)
    writers.push_back(std::async(std::launch::async, [this] {
      auto mine = open_source();
      captured_statement const user{.operation = operation::update,
                                    .body = "UPDATE shop.orders SET total = total + 1 WHERE id = 1",
                                    .alias = "orders",
                                    .returning = "",
                                    .parameter_count = 0};
      for (int i = 0; i < 60; ++i) {
        outbox_context const context{
            .id = write_id::make(), .first_ordinal = 1, .epoch = epoch{1}, .slot = slot};
        require(mine->query({.sql = capture_sql(user, table_, true),
                             .parameters = capture_parameters(context, {"42"}, true),
                             .name = "hot"}));
      }
    }));
  for (auto& writer : writers) writer.get();
  // The outbox row of the k-th increment would have to be re-read to know k; the final state and distinct
  // versions show the order held.
  EXPECT_EQ(one(*source_, "SELECT total FROM shop.orders"), "361.00");
  EXPECT_EQ(one(*source_, "SELECT count(DISTINCT version) FROM shardway.outbox"), "360");
}

TEST_F(guarded_apply, newer_versions_win_whatever_the_order_of_arrival) {
  auto const first = upserted("1", "first"), second = upserted("1", "second");
  EXPECT_EQ(apply(second), apply_outcome::applied);
  EXPECT_EQ(apply(first), apply_outcome::newer_present);
  EXPECT_EQ(note("1"), "second");
  EXPECT_EQ(one(*shard_, "SELECT count(*) FROM shardway.dual_applied"), "1")
      << "one row for each write that took effect";
}

TEST_F(guarded_apply,
       version_the_stream_has_delivered_is_refused_so_a_deleted_row_stays_deleted) {  // W7, W11
  auto const row = upserted("1", "late");
  applied_up_to(source_now());  // the stream has passed it, and a delete after it
  EXPECT_EQ(apply(row), apply_outcome::delivered);
  EXPECT_EQ(note("1"), "absent");
}

TEST_F(guarded_apply, shard_with_authority_and_other_epochs_are_never_touched) {  // W7, W30
  auto const row = upserted("1", "late");
  require(shard_->query(follow_statement("sales", all_slots, epoch{2})));
  EXPECT_EQ(apply(row), apply_outcome::other_epoch);
  flip(*shard_, all_slots, epoch{3}, true);
  EXPECT_EQ(apply(row), apply_outcome::authority);
  EXPECT_EQ(note("1"), "absent");
}

TEST_F(guarded_apply, delete_with_a_newer_version_removes_and_with_an_older_one_does_not) {
  auto const before = upserted("1", "a"), after = upserted("1", "b");
  EXPECT_EQ(apply(after), apply_outcome::applied);
  EXPECT_EQ(apply(before, operation::remove), apply_outcome::newer_present);
  EXPECT_EQ(note("1"), "b");
  captured_statement const user{.operation = operation::remove,
                                .body = "DELETE FROM shop.orders WHERE id = 1",
                                .alias = "orders",
                                .returning = "",
                                .parameter_count = 0};
  EXPECT_EQ(apply(value_of(capture(user, "42")).changed.at(0), operation::remove), apply_outcome::applied);
  EXPECT_EQ(note("1"), "absent");
}

// W7, W8: the stream holds the key lock of a delete; the dual write waits for it and then reads the progress
// that came with the delete.
TEST_F(guarded_apply, dual_write_waits_for_the_streams_delete_and_then_sees_its_progress) {
  auto const row = upserted("1", "late");
  auto stream = open_shard();
  run(*stream,
      "BEGIN; SELECT pg_advisory_xact_lock(shardway.key_lock_class('shop.orders'), "
      "shardway.key_lock_bucket(ARRAY['1']))");
  auto waiting = std::async(std::launch::async, [&] {
    auto mine = open_shard();
    return value_of(parse_apply(value_of(mine->query(apply_statement(
                        write_id::make(), {{&table_, operation::insert, &row, slot}}, 10000ms)))))
        .at(0);
  });
  while (one(*shard_, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == "0")
    std::this_thread::sleep_for(2ms);
  require(stream->query(
      advance_statement(names::source_stream, {.applied = source_now(), .marker = 0, .totals = {}})));
  run(*stream, "COMMIT");
  EXPECT_EQ(waiting.get(), apply_outcome::delivered);
  EXPECT_EQ(note("1"), "absent");
}

TEST_F(guarded_apply, dual_write_gives_way_after_its_lock_timeout) {  // W9
  auto const row = upserted("1", "late");
  auto stream = open_shard();
  run(*stream,
      "BEGIN; SELECT pg_advisory_xact_lock(shardway.key_lock_class('shop.orders'), "
      "shardway.key_lock_bucket(ARRAY['1']))");
  auto const answer =
      shard_->query(apply_statement(write_id::make(), {{&table_, operation::insert, &row, slot}}, 30ms));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().sqlstate(), "55P03");
}

TEST_F(guarded_apply, rows_of_one_write_are_applied_together_in_one_message) {  // W6
  auto const a = upserted("1", "a");
  auto b = upserted("2", "b");
  b.ordinal = 2;
  auto const outcomes = value_of(parse_apply(value_of(shard_->query(apply_statement(
      write_id::make(), {{&table_, operation::insert, &a, slot}, {&table_, operation::insert, &b, slot}},
      100ms)))));
  EXPECT_THAT(outcomes, ElementsAre(apply_outcome::applied, apply_outcome::applied));
  EXPECT_EQ(one(*shard_, "SELECT count(DISTINCT xmin::text) FROM shop.orders"), "1");
}

TEST_F(guarded_apply, opening_the_shard_waits_for_a_dual_write_in_flight) {
  auto const row = upserted("1", "a");
  auto dual = open_shard();
  run(*dual, "BEGIN");
  require(dual->query(apply_statement(write_id::make(), {{&table_, operation::insert, &row, slot}}, 100ms)));
  run(*shard_, "SET lock_timeout = '50ms'");
  EXPECT_FALSE(shard_->simple("LOCK TABLE " + names::fence_lock("sales") + " IN EXCLUSIVE MODE"));
}

TEST_F(guarded_apply, application_role_may_apply_but_not_touch_our_tables) {
  auto const row = upserted("1", "a");
  auto app = open(fleet_->shard(0), "app");
  EXPECT_TRUE(
      app->query(apply_statement(write_id::make(), {{&table_, operation::insert, &row, slot}}, 100ms)));
  EXPECT_FALSE(app->simple("DELETE FROM shardway.dual_applied"));
  EXPECT_FALSE(app->simple("UPDATE " + names::fence("sales") + " SET is_open = true"));
}

TEST_F(guarded_apply, values_with_quotes_and_backslashes_arrive_as_they_are) {
  auto row = upserted("1", "a");
  row.image[2] = "O'Hara \\ \"x\" $$ \n {,}";
  EXPECT_EQ(apply(row), apply_outcome::applied);
  EXPECT_EQ(note("1"), "O'Hara \\ \"x\" $$ \n {,}");
}

TEST_F(guarded_apply, shard_key_of_a_row_does_not_change_on_a_shard) {  // W20
  run(*shard_, "INSERT INTO shop.orders VALUES (1, 42, 'a', 1)");
  auto const answer = shard_->simple("UPDATE shop.orders SET customer_id = 43");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), error_code::shard_key_change);
}

TEST_F(guarded_apply, source_tells_the_old_place_of_a_row_whose_shard_key_changes) {  // W20
  run(*source_, shard_key_trigger_sql(table_, true));
  run(*source_, "INSERT INTO shop.orders VALUES (1, 42, 'a', 1); UPDATE shop.orders SET customer_id = 43");
  EXPECT_EQ(one(*source_,
                "SELECT operation::text || key_values::text || shard_key_values::text || (slot = "
                "shardway.slot_of(42::bigint))::text FROM shardway.outbox"),
            "k{1}{42}true");
}

TEST_F(guarded_apply, no_name_of_a_column_ends_the_quotes_around_it) {  // P1
  std::string const name = "it's 50%s $f$ $shardway$";
  for (auto* node : {source_.get(), shard_.get()})
    run(*node, "ALTER TABLE shop.orders RENAME customer_id TO " + names::quoted(name));
  table_.manifest.shard_key = {name};
  table_.columns[1].name = name;
  run(*shard_, shard_table_sql(table_, "app"));
  run(*source_, shard_key_trigger_sql(table_, true));
  EXPECT_EQ(apply(upserted("1", "a")), apply_outcome::applied);
  run(*source_, "UPDATE shop.orders SET " + names::quoted(name) + " = 43");
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shardway.outbox WHERE operation = 'k'"), "1");
  run(*shard_, drop_shard_table_sql(table_));
  EXPECT_EQ(one(*shard_, "SELECT count(*) FROM pg_class WHERE relname LIKE 'shardway_identity_%'"), "0");
}

TEST_F(guarded_apply, uninstalling_leaves_the_users_tables_as_they_were) {
  run(*source_, write_guard_sql(write_guard::refusing, "shop.orders", "sales", {}) +
                    shard_key_trigger_sql(table_, true));
  for (auto [node, role] : {std::pair{source_.get(), node_role::source}, {shard_.get(), node_role::shard}}) {
    run(*node, uninstall_sql(role, "shop"));
    run(*node, uninstall_sql(role, "shop"));
    EXPECT_EQ(one(*node, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'shardway%'"), "0");
    EXPECT_EQ(one(*node, "SELECT count(*) FROM pg_namespace WHERE nspname = 'shardway'"), "0");
    EXPECT_EQ(
        one(*node,
            "SELECT count(*) FROM pg_attribute WHERE attname = '_shardway_version' AND NOT attisdropped"),
        "0");
    EXPECT_EQ(one(*node, "SELECT relreplident::text FROM pg_class WHERE oid = 'shop.orders'::regclass"), "d");
  }
}
}  // namespace
}  // namespace shardway_test
