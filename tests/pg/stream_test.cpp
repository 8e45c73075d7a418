// Copy and stream together on real servers, under writes that don't stop.
#include "shardway/testing/stop_points.hpp"
#include "stream_fixture.hpp"

namespace shardway_test {
namespace {

constexpr char orders_ddl[] =
    "CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, note text, total "
    "numeric(12,2) NOT NULL DEFAULT 0)";

std::vector<table_state> orders() {
  return {table_of("shop.orders", {"id"}, {"customer_id"},
                   {{"id", "bigint", false, true},
                    {"customer_id", "bigint", false, true},
                    {"note", "text", false, false},
                    {"total", "numeric(12,2)", false, true}})};
}

/// Inserts, updates, deletes, key changes and moves between customers, until it is destroyed.
class writer {
 public:
  writer(std::unique_ptr<session> node, int number)
      : node_(std::move(node)), number_(number), thread_([this] { run(); }) {}
  ~writer() { stop(); }
  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int done() const { return done_; }

 private:
  void run() {
    std::int64_t next = 1'000'000 * (number_ + 1);
    for (unsigned i = 0; !stopping_; ++i) {
      auto const old = std::to_string(1 + (i * 7919u + static_cast<unsigned>(number_) * 31u) % 2000);
      auto const fresh = std::to_string(++next);
      std::string const sql[] = {
          "INSERT INTO shop.orders VALUES (" + fresh + ", " + old + ", 'new', 1)",
          "UPDATE shop.orders SET total = total + 1 WHERE id = " + old,
          "DELETE FROM shop.orders WHERE id = " + old,
          "BEGIN; UPDATE shop.orders SET note = note || 'x' WHERE id = " + old +
              "; INSERT INTO shop.orders VALUES (" + fresh + ", 5, 'two', 2) ON CONFLICT DO NOTHING; COMMIT",
          "INSERT INTO shop.orders VALUES (" + old + ", " + old +
              ", 'again', 3) ON CONFLICT (id) DO UPDATE SET total = -1",
          "UPDATE shop.orders SET id = " + fresh + " WHERE id = " + old,
      };
      auto const answer = node_->simple(sql[i % std::size(sql)]);
      if (answer) ++done_;
    }
  }
  std::unique_ptr<session> node_;
  int number_;
  std::atomic<bool> stopping_{};
  std::atomic<int> done_{};
  std::thread thread_;
};

class stream : public stream_fixture {};

TEST_F(stream, copy_under_writes_ends_equal) {  // CP1, S5
  install(orders_ddl, orders(),
          "INSERT INTO shop.orders SELECT n, n, 'note ' || n, n FROM generate_series(1, 2000) AS n");
  {
    writer first(open(fleet_->source()), 1), second(open(fleet_->source()), 2);
    start();
    copy();
    std::this_thread::sleep_for(500ms);
    first.stop();
    second.stop();
    EXPECT_GT(first.done() + second.done(), 100);
  }
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.orders", "id, customer_id, note, total"),
            digest("shop.orders", "id, customer_id, note, total"));
  EXPECT_EQ(misplaced("shop.orders", "customer_id"), 0);
  auto const progress = engine_->copy_state("sales");
  EXPECT_GT(progress.tables.at(0).chunks, 3);
  EXPECT_EQ(progress.tables.at(0).chunks, progress.tables.at(0).chunks_closed);
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shardway.chunk WHERE state <> 'closed'"), "0");
}

constexpr char columns[] = "id, customer_id, note, total";

TEST_F(stream, connections_of_appliers_may_be_cut) {
  install(orders_ddl, orders(),
          "INSERT INTO shop.orders SELECT n, n, 'note ' || n, n FROM generate_series(1, 2000) AS n");
  start();
  copy();
  {
    writer first(open(fleet_->source()), 1), second(open(fleet_->source()), 2);
    for (int i = 0; i < 10; ++i) {
      for (std::size_t shard = 0; shard < 2; ++shard)
        run(*open(fleet_->shard(shard)),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND pid <> pg_backend_pid()");
      std::this_thread::sleep_for(60ms);
    }
  }
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.orders", columns), digest("shop.orders", columns));
}

// S7: a failover or a restored backup: the progress rows of the newest batches are gone, with the batches.
TEST_F(stream, shard_that_comes_back_behind_its_position_stops_it) {
  install(orders_ddl, orders(),
          "INSERT INTO shop.orders SELECT n, n, 'note', n FROM generate_series(1, 100) AS n");
  start();
  copy();
  for (int i = 0; i < 3; ++i) {
    run(*source_, "UPDATE shop.orders SET total = total + 1");
    catch_up();
  }
  run(*open(fleet_->shard(0)),
      "BEGIN; LOCK TABLE shardway.stream_progress; DELETE FROM shardway.stream_progress WHERE id > (SELECT "
      "min(id) FROM shardway.stream_progress); "
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid "
      "<> pg_backend_pid(); COMMIT");
  expect_soon("the shard's stream stops", [&] { return engine_->stream(shard_id{0}).failure.has_value(); });
  auto const failure = *engine_->stream(shard_id{0}).failure;
  EXPECT_EQ(failure.code(), error_code::stream_broken);
  EXPECT_NE(failure.message().find("has lost batches it had committed"), std::string::npos)
      << failure.message();
  EXPECT_FALSE(engine_->stream(shard_id{1}).failure);
}

TEST_F(stream, notes_of_parked_changes_go_when_it_is_past_them) {
  install(orders_ddl, orders(),
          "INSERT INTO shop.orders SELECT n, n, 'note', n FROM generate_series(1, 100) AS n");
  auto const shard = open(fleet_->shard(0));
  auto const park = [&](std::string const& at) {
    run(*shard,
        "INSERT INTO shardway.parked (stream, relation, key_digest, reason, commit_lsn) VALUES ('source', "
        "'shop.orders', 'digest', 'reason', '" +
            at + "')");
  };
  park("0/1");
  start();
  copy();
  run(*source_, "UPDATE shop.orders SET total = total + 1");
  catch_up();
  EXPECT_EQ(one(*shard, "SELECT count(*) FROM shardway.parked"), "0") << "a batch went past it";
  engine_.reset();
  park("0/1");
  park("FFFFFFFF/0");
  start();
  run(*source_, "UPDATE shop.orders SET total = total + 1");
  catch_up();
  EXPECT_EQ(one(*shard, "SELECT string_agg(commit_lsn::text, ',') FROM shardway.parked"), "FFFFFFFF/0")
      << "the stream is not past it";
}

TEST_F(stream, functions_of_tables_with_long_names_do_not_collide) {  // P1
  std::string const start_of_name = "shop.a_name_of_a_table_that_is_as_long_as_a_name_may_be_at_all";
  std::vector<table_state> tables;
  std::string ddl;
  for (auto const* end : {"x", "y"}) {
    tables.push_back(table_of(start_of_name + end, {"id"}, {"customer_id"},
                              {{"id", "bigint", false, true}, {"customer_id", "bigint", false, true}}));
    ddl += "CREATE TABLE " + start_of_name + end + " (id bigint PRIMARY KEY, customer_id bigint NOT NULL);";
  }
  install(ddl, tables, "SELECT 1");
  for (auto const& table : tables) run(*source_, shard_key_trigger_sql(table, true));
  auto const of_apply =
      "SELECT count(*) FROM pg_proc WHERE pronamespace = 'shardway'::regnamespace AND proname LIKE "
      "'apply\\_%'";
  EXPECT_EQ(one(*open(fleet_->shard(0)), of_apply), "2");
  EXPECT_EQ(
      one(*source_, "SELECT count(DISTINCT tgfoid) FROM pg_trigger WHERE tgname = 'shardway_key_change'"),
      "2");
  for (auto const& table : tables) {
    auto const function = names::apply_function(table.manifest.table);
    EXPECT_LE(function.size(), std::string("shardway.\"\"").size() + 63);
    EXPECT_EQ(one(*open(fleet_->shard(0)),
                  "SELECT count(*) FROM pg_proc WHERE oid = to_regproc(" + names::literal(function) + ")"),
              "1")
        << function;
  }
}

TEST_F(stream, resend_has_no_effect) {  // S1, M7
  install(orders_ddl, orders(),
          "INSERT INTO shop.orders SELECT n, n, 'note ' || n, n FROM generate_series(1, 500) AS n");
  start();
  copy();
  catch_up();
  auto const totals = [&] {
    return engine_->stream(shard_id{0}).position.totals.changes +
           engine_->stream(shard_id{1}).position.totals.changes;
  };
  auto const before = totals();
  auto const slot_before =
      one(*source_,
          "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'shardway_shop_source'");
  {
    std::string failures;
    for (int i = 1; i <= 60; ++i)
      failures += (i > 1 ? "," : "") + std::string("before_confirm:error:") + std::to_string(i);
    shardway::testing::selected_stop_points const stops(failures);
    run(*source_, "UPDATE shop.orders SET total = total + 1");
    catch_up();
    EXPECT_EQ(totals(), before + 500);
    engine_.reset();
  }
  auto const applied_twice = one(*source_,
                                 "SELECT confirmed_flush_lsn < pg_current_wal_lsn() FROM "
                                 "pg_replication_slots WHERE slot_name = 'shardway_shop_source'");
  EXPECT_EQ(applied_twice, "t");
  start();
  catch_up();
  EXPECT_EQ(totals(), before + 500) << "changes sent again were applied again";
  EXPECT_EQ(digest_on_shards("shop.orders", columns), digest("shop.orders", columns));
}

TEST_F(stream, values_left_alone_stay_and_missing_rows_are_fetched) {  // S8
  install(orders_ddl, orders(),
          "INSERT INTO shop.orders SELECT n, n, (SELECT string_agg(md5((n * i)::text), '') FROM "
          "generate_series(1, 300) AS i), n FROM generate_series(1, 200) AS n");
  start();
  copy();
  run(*source_, "UPDATE shop.orders SET total = -total");
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.orders", columns), digest("shop.orders", columns));
  for (std::size_t shard = 0; shard < 2; ++shard)
    run(*open(fleet_->shard(shard)), "DELETE FROM shop.orders WHERE id % 2 = 0");
  run(*source_,
      "UPDATE shop.orders SET total = total * 2; UPDATE shop.orders SET id = id + 1000 WHERE id % 4 = 0");
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.orders", columns), digest("shop.orders", columns));
}

TEST_F(stream, unique_value_goes_from_row_to_row) {  // S15
  install(std::string(orders_ddl) + "; CREATE UNIQUE INDEX ON shop.orders (customer_id, note)", orders(),
          "INSERT INTO shop.orders SELECT n, 7, 'note ' || n, n FROM generate_series(1, 10) AS n");
  start({.batch_wait = 300ms});
  copy();
  for (int i = 0; i < 5; ++i)
    run(*source_,
        "BEGIN; UPDATE shop.orders SET note = 'free' WHERE id = 1; UPDATE shop.orders SET note = 'note 1' "
        "WHERE id = 2; UPDATE shop.orders SET note = 'note 2' WHERE id = 1; COMMIT;"
        "BEGIN; UPDATE shop.orders SET note = 'free' WHERE id = 1; UPDATE shop.orders SET note = 'note 2' "
        "WHERE id = 2; UPDATE shop.orders SET note = 'note 1' WHERE id = 1; COMMIT");
  run(*source_, "DELETE FROM shop.orders WHERE id = 3; INSERT INTO shop.orders VALUES (30, 7, 'note 3', 3)");
  run(*source_,
      "BEGIN; UPDATE shop.orders SET note = 'free' WHERE id = 4; UPDATE shop.orders SET note = 'note 4' "
      "WHERE id = 5; UPDATE shop.orders SET note = 'note 5' WHERE id = 4; COMMIT");
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.orders", columns), digest("shop.orders", columns));
}

TEST_F(stream, row_whose_shard_key_changes_moves) {  // W20
  install(orders_ddl, orders(),
          "INSERT INTO shop.orders SELECT n, n, 'note', n FROM generate_series(1, 300) AS n");
  run(*source_, shard_key_trigger_sql(tables_[0], true));
  start();
  copy();
  run(*source_, "UPDATE shop.orders SET customer_id = customer_id + 1000");
  run(*source_,
      "UPDATE shop.orders SET id = id + 5000, customer_id = customer_id + 1 WHERE id % 3 = 0; DELETE FROM "
      "shop.orders WHERE id % 5 = 0");
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.orders", columns), digest("shop.orders", columns));
  EXPECT_EQ(misplaced("shop.orders", "customer_id"), 0);
}

TEST_F(stream, truncate_empties_and_later_rows_stay) {  // S11
  install(orders_ddl, orders(),
          "INSERT INTO shop.orders SELECT n, n, 'note', n FROM generate_series(1, 300) AS n");
  start();
  copy();
  run(*source_,
      "BEGIN; INSERT INTO shop.orders VALUES (900, 900, 'gone', 1); TRUNCATE shop.orders; INSERT INTO "
      "shop.orders SELECT n, n, 'stays', n FROM generate_series(1, 20) AS n; COMMIT");
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.orders", columns), digest("shop.orders", columns));
  EXPECT_EQ(digest("shop.orders", columns).substr(0, 3), "20:");
}

// CP8: a TRUNCATE waits in a shard's queue. Rows that are newer must not be copied before it has run.
TEST_F(stream, truncate_on_its_way_to_a_shard_takes_no_rows_copied_after_it) {
  auto tables = orders();
  tables.push_back(table_of("shop.waits", {"id"}, {"id"}, {{"id", "bigint", false, true}}));
  install(std::string(orders_ddl) + "; CREATE TABLE shop.waits (id bigint PRIMARY KEY)", tables,
          "INSERT INTO shop.orders SELECT n, n, 'note', n FROM generate_series(1, 300) AS n");
  start();
  engine_->pause_copy();
  require(engine_->start_copy("sales"));
  expect_soon("the copy is planned",
              [&] { return one(*source_, "SELECT count(DISTINCT relation) FROM shardway.chunk") == "2"; });
  std::this_thread::sleep_for(200ms);
  auto const holder = open(fleet_->shard(0));
  run(*holder, "BEGIN; LOCK TABLE shop.waits IN ROW EXCLUSIVE MODE");
  run(*source_, "TRUNCATE shop.waits");
  run(*source_,
      "TRUNCATE shop.orders; INSERT INTO shop.orders SELECT n, n, 'stays', n FROM generate_series(1, 200) AS "
      "n");
  auto const end = *lsn::parse(one(*source_, "SELECT pg_current_wal_flush_lsn()"));
  expect_soon("the emptying is on its way",
              [&] { return engine_->stream(shard_id{1}).position.applied >= end; });
  engine_->resume_copy();
  std::this_thread::sleep_for(700ms);
  run(*holder, "ROLLBACK");
  expect_soon("the copy is complete",
              [&] { return check_running() && engine_->copy_state("sales").is_complete; });
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.orders", columns), digest("shop.orders", columns));
}

// CP7: binary rows name the element type of an array by its OID, and each node assigned that OID by itself.
TEST_F(stream, arrays_of_own_types_are_copied_and_followed) {
  run(*open(fleet_->source()),
      "CREATE TYPE public.takes_an_oid AS ENUM ('a'); DROP TYPE public.takes_an_oid");
  install(
      "CREATE TYPE shop.mood AS ENUM ('glad', 'sad'); CREATE DOMAIN shop.short AS text CHECK (length(VALUE) "
      "< 9); "
      "CREATE TABLE shop.people (id bigint PRIMARY KEY, moods shop.mood[], words shop.short[])",
      {table_of("shop.people", {"id"}, {"id"},
                {{"id", "bigint", false, true},
                 {"moods", "shop.mood[]", false, false},
                 {"words", "shop.short[]", false, false}})},
      "INSERT INTO shop.people SELECT n, ARRAY['glad', 'sad']::shop.mood[], ARRAY['w' || n]::shop.short[] "
      "FROM generate_series(1, 50) AS n");
  auto const type = "SELECT 'shop.mood'::regtype::oid";
  ASSERT_NE(one(*source_, type), one(*open(fleet_->shard(0)), type));
  start();
  copy();
  run(*source_,
      "UPDATE shop.people SET moods = ARRAY['sad']::shop.mood[] WHERE id % 2 = 0; INSERT INTO shop.people "
      "VALUES (100, '{glad}', '{new}')");
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.people", "id, moods, words"), digest("shop.people", "id, moods, words"));
}

TEST_F(stream, reference_table_is_whole_on_every_shard) {
  auto currencies = table_of("shop.currencies", {"code"}, {},
                             {{"code", "text", false, true}, {"rate", "numeric", false, false}});
  currencies.manifest.kind = table_kind::reference;
  install("CREATE TABLE shop.currencies (code text PRIMARY KEY, rate numeric)", {currencies},
          "INSERT INTO shop.currencies SELECT 'c' || n, n FROM generate_series(1, 50) AS n");
  start();
  copy();
  run(*source_,
      "UPDATE shop.currencies SET rate = -rate WHERE code < 'c3'; DELETE FROM shop.currencies WHERE code = "
      "'c5'; UPDATE shop.currencies SET code = 'new' WHERE code = 'c7'; "
      "INSERT INTO shop.currencies VALUES ('x', 1)");
  catch_up();
  auto const sql = "SELECT string_agg(code || rate, ',' ORDER BY code COLLATE \"C\") FROM shop.currencies";
  for (std::size_t shard = 0; shard < 2; ++shard)
    EXPECT_EQ(one(*open(fleet_->shard(shard)), sql), one(*source_, sql));
}

TEST_F(stream, shape_that_changes_pauses_its_group_and_is_named) {  // S10
  install(orders_ddl, orders(),
          "INSERT INTO shop.orders SELECT n, n, 'note', n FROM generate_series(1, 10) AS n");
  start();
  copy();
  run(*source_,
      "ALTER TABLE shop.orders ALTER COLUMN total TYPE numeric(14,3); UPDATE shop.orders SET total = 1");
  expect_soon("the group is paused", [&] { return !engine_->paused_groups().empty(); });
  EXPECT_NE(engine_->paused_groups().at("sales").find("numeric(14,3)"), std::string::npos);
  catch_up();
  EXPECT_EQ(one(*open(fleet_->shard(0)), "SELECT relation FROM shardway.parked WHERE stream = 'paused'"),
            "shop.orders");
}

// S16, S22: windows come from the WAL: the generation still says that the source has authority everywhere.
TEST_F(stream, write_outside_the_window_stops_it) {
  for (bool const guarded : {true, false}) {
    install(orders_ddl, orders(),
            "INSERT INTO shop.orders SELECT n, n, 'note', n FROM generate_series(1, 10) AS n");
    if (!guarded) ::setenv("SHARDWAY_GUARD_OFF", "window_from_wal", 1);
    start();
    copy();
    run(*source_, "UPDATE shop.orders SET total = 5");
    flip(*source_, all_slots, epoch{2}, false);
    run(*source_, "UPDATE shop.orders SET total = 6");
    auto const end = *lsn::parse(one(*source_, "SELECT pg_current_wal_flush_lsn()"));
    expect_soon("the stream stops or passes",
                [&] { return engine_->dispatcher_failure() || engine_->confirmed() >= end; });
    EXPECT_EQ(engine_->dispatcher_failure().has_value(), guarded);
    ::unsetenv("SHARDWAY_GUARD_OFF");
    engine_.reset();
  }
}

// S6: with a change still queued, a keep-alive confirms nothing.
TEST_F(stream, keepalive_confirms_nothing_while_a_shard_is_behind) {
  for (bool const guarded : {true, false}) {
    install(orders_ddl, orders(),
            "INSERT INTO shop.orders SELECT n, n, 'note', n FROM generate_series(1, 10) AS n");
    if (!guarded) ::setenv("SHARDWAY_GUARD_OFF", "keepalive_with_queue", 1);
    start();
    copy();
    catch_up();
    auto const holder = open(fleet_->shard(0));
    run(*holder, "BEGIN; LOCK TABLE shop.orders IN EXCLUSIVE MODE");
    run(*source_, "UPDATE shop.orders SET total = 5");
    auto const end = one(*source_, "SELECT pg_current_wal_flush_lsn()");
    for (int i = 0; i < 20; ++i) {
      run(*source_, "SELECT pg_logical_emit_message(false, 'x', 'y'); SELECT pg_switch_wal()");
      std::this_thread::sleep_for(100ms);
    }
    auto const passed =
        one(*source_, "SELECT confirmed_flush_lsn >= '" + end +
                          "' FROM pg_replication_slots WHERE slot_name = 'shardway_shop_source'");
    EXPECT_EQ(passed, guarded ? "f" : "t");
    run(*holder, "ROLLBACK");
    catch_up();
    ::unsetenv("SHARDWAY_GUARD_OFF");
    engine_.reset();
  }
}

}  // namespace
}  // namespace shardway_test
