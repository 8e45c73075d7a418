// What the copy must carry: every type, partitions, generated and identity columns; and what interrupts it.
#include "lib/migrate/copy/old_transactions.hpp"
#include "shardway/testing/stop_points.hpp"
#include "stream_fixture.hpp"
#include "support/parallel_work.hpp"

namespace shardway_test {
namespace {

using namespace shardway::migrate::copy;

class copy_test : public stream_fixture {
 protected:
  // Guards are read from the environment at each use.
  void without(char const* guard) { ASSERT_EQ(::setenv("SHARDWAY_GUARD_OFF", guard, 1), 0); }
  void TearDown() override {
    stream_fixture::TearDown();
    ::unsetenv("SHARDWAY_GUARD_OFF");
  }
  void expect_equal(std::string const& table, std::string const& columns) {
    EXPECT_EQ(digest_on_shards(table, columns), digest(table, columns));
  }
};

constexpr char plain_ddl[] =
    "CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, note text)";
std::vector<table_state> plain() {
  return {table_of("shop.orders", {"id"}, {"customer_id"},
                   {{"id", "bigint", false, true},
                    {"customer_id", "bigint", false, true},
                    {"note", "text", false, false}})};
}

TEST_F(copy_test, every_type_arrives_as_it_was_and_follows) {
  install(
      "CREATE TYPE shop.order_state AS ENUM ('open', 'paid', 'a ''b\"'); CREATE TYPE shop.place AS (x int, "
      "label text);"
      "CREATE TABLE shop.kinds (id uuid PRIMARY KEY, customer text NOT NULL, state shop.order_state, tags "
      "text[], grid int[], amount numeric, document jsonb, raw bytea,"
      " at timestamptz, span interval, flag boolean, code char(6), ratio double precision, place shop.place, "
      "period int4range, day date)",
      {table_of("shop.kinds", {"id"}, {"customer"},
                {{"id", "uuid", false, true},
                 {"customer", "text", false, true},
                 {"state", "shop.order_state", false, false},
                 {"tags", "text[]", false, false},
                 {"grid", "integer[]", false, false},
                 {"amount", "numeric", false, false},
                 {"document", "jsonb", false, false},
                 {"raw", "bytea", false, false},
                 {"at", "timestamp with time zone", false, false},
                 {"span", "interval", false, false},
                 {"flag", "boolean", false, false},
                 {"code", "character(6)", false, false},
                 {"ratio", "double precision", false, false},
                 {"place", "shop.place", false, false},
                 {"period", "int4range", false, false},
                 {"day", "date", false, false}})},
      "INSERT INTO shop.kinds SELECT md5(n::text)::uuid, 'customer ' || n % 50, 'a ''b\"', ARRAY['a,b', "
      "'\"q\"', NULL, '{}', '\\'], ARRAY[[n, 2], [3, 4]], n / 7.0, "
      "jsonb_build_object('n', n, 'long', (SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, "
      "100) AS i)), decode(md5(n::text), 'hex'), now(), "
      "'1 mon 2 days 03:04:05.678', n % 2 = 0, 'ab', n / 3.0::float8, ROW(n, 'a, \"b\"')::shop.place, "
      "int4range(n, n + 5), '2026-01-01' FROM generate_series(1, 700) AS n");
  start();
  copy();
  run(*source_,
      "UPDATE shop.kinds SET state = 'paid', amount = amount * 1.1, tags = array_append(tags, E'x\\ny') "
      "WHERE id < '80000000-0000-0000-0000-000000000000'");
  run(*source_,
      "INSERT INTO shop.kinds (id, customer, ratio, amount) VALUES (md5('new')::uuid, 'new', 'NaN', 'NaN'), "
      "(md5('none')::uuid, E'd\\'\"\\\\ü', '-0', NULL)");
  run(*source_, "DELETE FROM shop.kinds WHERE id > 'f0000000-0000-0000-0000-000000000000'");
  catch_up();
  EXPECT_EQ(
      one(*source_, "SELECT count(*) FILTER (WHERE pg_column_size(document) > 2048) > 300 FROM shop.kinds"),
      "t");
  expect_equal("shop.kinds",
               "id, customer, state, tags, grid, amount, document, raw, at, span, flag, code, ratio, place, "
               "period, day");
  EXPECT_EQ(misplaced("shop.kinds", "customer"), 0);
}

TEST_F(copy_test, partitions_generated_and_identity_columns) {  // F2
  install(
      "CREATE TABLE shop.visits (customer_id int NOT NULL, id int NOT NULL, amount int, doubled int "
      "GENERATED ALWAYS AS (amount * 2) STORED, PRIMARY KEY (customer_id, id)) "
      "PARTITION BY RANGE (customer_id); CREATE TABLE shop.visits_low PARTITION OF shop.visits FOR VALUES "
      "FROM (MINVALUE) TO (100); "
      "CREATE TABLE shop.visits_high PARTITION OF shop.visits FOR VALUES FROM (100) TO (MAXVALUE); "
      "CREATE TABLE shop.invoices (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id int NOT "
      "NULL, total int)",
      {table_of("shop.visits", {"customer_id", "id"}, {"customer_id"},
                {{"customer_id", "integer", false, true},
                 {"id", "integer", false, true},
                 {"amount", "integer", false, false},
                 {"doubled", "integer", true, false}}),
       table_of("shop.invoices", {"id"}, {"customer_id"},
                {{"id", "bigint", false, true},
                 {"customer_id", "integer", false, true},
                 {"total", "integer", false, false}})},
      "INSERT INTO shop.visits SELECT n % 200, n, n FROM generate_series(1, 1500) AS n; INSERT INTO "
      "shop.invoices (customer_id, total) SELECT n % 90, n FROM generate_series(1, 900) AS n");
  start();
  copy();
  run(*source_,
      "UPDATE shop.visits SET amount = -amount WHERE id % 3 = 0; INSERT INTO shop.visits SELECT n % 200, n, "
      "n FROM generate_series(2000, 2100) AS n; "
      "UPDATE shop.visits SET customer_id = 150 WHERE customer_id = 20; INSERT INTO shop.invoices "
      "(customer_id, total) VALUES (7, 7); UPDATE shop.invoices SET total = 0 WHERE id < 50; "
      "DELETE FROM shop.invoices WHERE id > 850; DELETE FROM shop.visits WHERE customer_id = 30");
  catch_up();
  expect_equal("shop.visits", "customer_id, id, amount, doubled");
  expect_equal("shop.invoices", "id, customer_id, total");
  EXPECT_EQ(misplaced("shop.visits", "customer_id"), 0);
}

TEST_F(copy_test, interrupted_chunks_are_emptied_and_copied_again) {  // I6, CP6
  install(plain_ddl, plain(),
          "INSERT INTO shop.orders SELECT n, n, repeat('x', 100) FROM generate_series(1, 2000) AS n");
  {
    shardway::testing::selected_stop_points const stops(
        "during_chunk_copy:error:2,after_chunk_copy:error:3,after_chunk_snapshot:error:4");
    start();
    copy();
  }
  catch_up();
  expect_equal("shop.orders", "id, customer_id, note");
}

TEST_F(copy_test, goes_on_after_a_restart) {  // I6, CP6
  install(plain_ddl, plain(),
          "INSERT INTO shop.orders SELECT n, n, repeat('x', 100) FROM generate_series(1, 6000) AS n");
  start({.copy_workers = 1});
  require(engine_->start_copy("sales"));
  expect_soon("some chunks are closed", [&] {
    return check_running() && engine_->copy_state("sales").tables.at(0).chunks_closed >= 3;
  });
  engine_.reset();
  EXPECT_NE(one(*source_, "SELECT count(*) FROM shardway.chunk WHERE state <> 'closed'"), "0")
      << "the copy was over before it was interrupted";
  run(*source_,
      "UPDATE shop.orders SET note = 'changed while nobody looked' WHERE id % 5 = 0; DELETE FROM shop.orders "
      "WHERE id % 7 = 0");
  start();
  copy();
  catch_up();
  expect_equal("shop.orders", "id, customer_id, note");
}

// CP2: a commit is decoded before a snapshot shows it, for as long as a synchronous standby delays it.
class copy_with_delayed_commit : public copy_test {
 protected:
  void start_local(engine_limits limits) {
    limits.chunk_rows = 300;
    auto local = [](connect_options options) {
      options.conninfo += " options='-c synchronous_commit=local'";
      return options;
    };
    engine_nodes nodes{.source = local(where(fleet_->source())),
                       .source_mirror = local(where(fleet_->source())),
                       .shards = {where(fleet_->shard(0)), where(fleet_->shard(1))}};
    engine_ = value_of(engine::start(
        {.nodes = std::move(nodes), .routing = generation_at(stage::copying), .token = 1, .limits = limits}));
  }
  void standby(std::string const& names) {
    run(*source_, "ALTER SYSTEM SET synchronous_standby_names = '" + names + "'");
    run(*source_, "SELECT pg_reload_conf()");
  }
  /// Copies while one commit to the last chunk is decoded and not visible.
  void copy_beside_hidden_commit(std::chrono::milliseconds patience) {
    install(plain_ddl, plain(),
            "INSERT INTO shop.orders SELECT n, n, 'old' FROM generate_series(1, 1000) AS n");
    source_ = open(fleet_->source());
    run(*source_, "SET synchronous_commit = local");
    auto const file = fleet_->folder() / "stop";
    ::setenv("SHARDWAY_STOP_FILE", file.c_str(), 1);
    shardway::testing::selected_stop_points const stops("before_chunk_snapshot:pause:1");
    start_local({.copy_workers = 1});
    require(engine_->start_copy("sales"));
    value_of(shardway::testing::wait_for_stop(file));
    standby("nobody");
    parallel_work hidden(
        [] {
          auto const other = open(fleet_->source());
          run(*other, "UPDATE shop.orders SET note = 'new' WHERE id = 1000");
        },
        [&] {
          shardway::testing::release_stop(file);
          standby("");
        });
    expect_soon("the commit waits", [&] {
      return one(*source_, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1";
    });
    auto const end = *lsn::parse(one(*source_, "SELECT pg_current_wal_flush_lsn()"));
    expect_soon("the commit is decoded", [&] { return engine_->decoded() >= end; });
    shardway::testing::release_stop(file);
    auto const end_of_patience = std::chrono::steady_clock::now() + patience;
    while (!finished_early_ && std::chrono::steady_clock::now() < end_of_patience) {
      std::this_thread::sleep_for(20ms);
      finished_early_ = engine_->copy_state("sales").is_complete;
    }
    hidden.finish();
    expect_soon("the copy is complete",
                [&] { return check_running() && engine_->copy_state("sales").is_complete; });
    catch_up();
  }
  bool finished_early_{};
};

TEST_F(copy_with_delayed_commit, waits_for_a_snapshot_that_shows_it) {
  copy_beside_hidden_commit(700ms);
  EXPECT_FALSE(finished_early_);
  expect_equal("shop.orders", "id, customer_id, note");
}

TEST_F(copy_with_delayed_commit, would_lose_it_without_the_visibility_rule) {
  without("chunk_visibility");
  copy_beside_hidden_commit(30s);
  EXPECT_TRUE(finished_early_);
  EXPECT_NE(digest_on_shards("shop.orders", "id, customer_id, note"),
            digest("shop.orders", "id, customer_id, note"));
}

TEST_F(copy_test, waits_for_transactions_older_than_itself) {  // CP3
  install(plain_ddl, plain(), "INSERT INTO shop.orders SELECT n, n, 'old' FROM generate_series(1, 10) AS n");
  auto const old = open(fleet_->source());
  run(*old, "BEGIN; UPDATE shop.orders SET note = 'new' WHERE id = 1");
  auto const refused = wait_for_old_transactions(*source_, std::chrono::steady_clock::now() + 200ms);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::deadline_exceeded);
  EXPECT_NE(refused.error().message().find("pid " + std::to_string(old->identity().backend_pid)),
            std::string::npos)
      << refused.error().message();
  run(*old, "COMMIT");
  require(wait_for_old_transactions(*source_, std::chrono::steady_clock::now() + 5s));
}

}  // namespace
}  // namespace shardway_test
