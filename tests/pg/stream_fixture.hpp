// A source of 13 and two shards of 15 with tables of many types, installed from the protocol's SQL; engines
// on them.
#pragma once

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/fence.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/protocol/schema.hpp"
#include "shardway/migrate/controller/engine.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/value_of.hpp"

namespace shardway_test {

using namespace shardway;
using namespace std::chrono_literals;

inline table_state table_of(std::string name, std::vector<std::string> key,
                            std::vector<std::string> shard_key, std::vector<column_state> columns) {
  table_state table;
  table.manifest.table = std::move(name);
  table.manifest.group = "sales";
  table.manifest.key = std::move(key);
  table.manifest.shard_key = std::move(shard_key);
  table.columns = std::move(columns);
  return table;
}

class stream_fixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = value_of(shardway::testing::cluster::start(
                          {.source_major = 13, .shard_major = 15, .shards = 2, .fast = true}))
                 .release();
  }
  static void TearDownTestSuite() { delete fleet_; }

  /// Creates the tables of `ddl` on every node and lets `tables` join the stream. Rows of `rows_sql` are on
  /// the source before that.
  void install(std::string const& ddl, std::vector<table_state> tables, std::string const& rows_sql) {
    tables_ = std::move(tables);
    for (auto* node : nodes()) prepare(*node, ddl);
    source_ = open(fleet_->source());
    run(*source_, rows_sql);
    std::string list = "shardway.fence_sales, shardway.outbox, shardway.marker, shardway.stream_progress";
    for (auto const& table : tables_) list += ", " + table.manifest.table;
    run(*source_,
        "CREATE PUBLICATION shardway_shop FOR TABLE " + list + " WITH (publish_via_partition_root = true)");
    drop_and_make(*source_, "shardway_shop_source");
    for (std::size_t i = 0; i < 2; ++i) {
      auto const shard = open(fleet_->shard(i));
      std::string own = "shardway.fence_sales, shardway.marker";
      for (auto const& table : tables_) own += ", " + table.manifest.table;
      run(*shard,
          "CREATE PUBLICATION shardway_shop FOR TABLE " + own + " WITH (publish_via_partition_root = true)");
      drop_and_make(*shard, "shardway_shop_" + fleet_->shard(i).name());
    }
  }

  void TearDown() override {
    engine_.reset();
    source_.reset();
  }

  void start(engine_limits limits = {}) {
    limits.chunk_rows = 300;
    engine_nodes nodes{.source = where(fleet_->source()),
                       .source_mirror = where(fleet_->source()),
                       .shards = {where(fleet_->shard(0)), where(fleet_->shard(1))}};
    engine_ = value_of(engine::start(
        {.nodes = std::move(nodes), .routing = generation_at(stage::copying), .token = 1, .limits = limits}));
  }

  std::shared_ptr<generation const> generation_at(stage at) const {
    auto made = std::make_shared<generation>();
    made->number = 1;
    made->migration = migration();
    made->placement = even_placement(2);
    made->groups = {{.name = "sales",
                     .stage = at,
                     .authority = {{.slots = all_slots, .shard = {}, .epoch = epoch{1}, .opened = {}}}}};
    made->tables = tables_;
    return made;
  }

  void copy() {
    require(engine_->start_copy("sales"));
    expect_soon("the copy is complete",
                [&] { return check_running() && engine_->copy_state("sales").is_complete; });
  }

  bool check_running() {
    for (std::uint16_t i = 0; i < 2; ++i)
      if (auto const state = engine_->stream(shard_id{i}); state.failure)
        throw std::runtime_error(state.failure->to_string() + " " + state.failure->server_detail());
    if (auto const failed = engine_->copy_state("sales").failure)
      throw std::runtime_error(failed->to_string() + " " + failed->server_detail());
    return true;
  }

  /// Waits until both shards have applied all that the source has committed now.
  void catch_up() {
    auto const end = *lsn::parse(one(*source_, "SELECT pg_current_wal_flush_lsn()"));
    expect_soon("the shards have caught up", [&] {
      return check_running() && engine_->stream(shard_id{0}).position.applied >= end &&
             engine_->stream(shard_id{1}).position.applied >= end;
    });
  }

  template <class Condition>
  void expect_soon(char const* what, Condition condition, std::chrono::seconds limit = 60s) {
    auto const deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error(std::string("not in time: ") + what);
      std::this_thread::sleep_for(10ms);
    }
  }

  /// Every row of a table as text, sorted, without the version column; of the source, or of both shards
  /// together.
  std::string digest(std::string const& table, std::string const& columns, std::string const& extra = {}) {
    auto const sql =
        "SELECT count(*) || ':' || coalesce(sum(hashtextextended(r::text, 0)::numeric), 0) FROM (SELECT " +
        columns + " FROM " + table + extra + ") AS r";
    return one(*source_, sql);
  }
  std::string digest_on_shards(std::string const& table, std::string const& columns) {
    std::int64_t count = 0;
    std::string sums;
    for (std::size_t i = 0; i < 2; ++i) {
      auto const shard = open(fleet_->shard(i));
      count += std::stoll(one(*shard, "SELECT count(*) FROM " + table));
      sums +=
          (i ? " + " : "") +
          one(*shard,
              "SELECT '(' || coalesce(sum(hashtextextended(r::text, 0)::numeric), 0) || ')' FROM (SELECT " +
                  columns + " FROM " + table + ") AS r");
    }
    return std::to_string(count) + ":" + one(*source_, "SELECT " + sums);
  }
  /// Rows on a shard whose slot is placed on the other one.
  std::int64_t misplaced(std::string const& table, std::string const& key) {
    auto const first = open(fleet_->shard(0)), second = open(fleet_->shard(1));
    return std::stoll(one(*first,
                          "SELECT count(*) FROM " + table + " WHERE shardway.slot_of(" + key + ") >= 2048")) +
           std::stoll(
               one(*second, "SELECT count(*) FROM " + table + " WHERE shardway.slot_of(" + key + ") < 2048"));
  }

  static connect_options where(shardway::testing::server& node) {
    return {.node = node.name(), .conninfo = fleet_->conninfo(node)};
  }
  static std::unique_ptr<session> open(shardway::testing::server& node) {
    return value_of(connect(where(node)));
  }
  static rows run(session& on, std::string const& sql) { return value_of(on.simple(sql)); }
  static std::string one(session& on, std::string const& sql) { return std::string(run(on, sql).text(0, 0)); }
  static std::vector<shardway::testing::server*> nodes() {
    return {&fleet_->source(), &fleet_->shard(0), &fleet_->shard(1)};
  }

  static migration_manifest migration() {
    return {.name = "shop",
            .source = {.name = "source", .conninfo = {}, .replicas = {}},
            .shards = {{.name = "shard1", .conninfo = {}, .replicas = {}},
                       {.name = "shard2", .conninfo = {}, .replicas = {}}},
            .application_role = "app",
            .engine_role = "postgres",
            .mirror_role = "postgres"};
  }

  /// As the library does before dual writing: every write inside the source's fence.
  static void flip(session& on, slot_range slots, epoch at, bool open) {
    std::vector<statement> const statements{{.sql = "BEGIN"},
                                            engine_check_statement(1, "client"),
                                            flip_lock_statement("sales"),
                                            flip_statement("sales", slots, at, open, {}, {}),
                                            {.sql = "COMMIT"}};
    for (auto const& answer : value_of(on.flush(statements))) require(answer);
  }

  static shardway::testing::cluster* fleet_;
  std::vector<table_state> tables_;
  std::unique_ptr<session> source_;
  std::unique_ptr<engine> engine_;

 private:
  void prepare(shardway::testing::server& node, std::string const& ddl) {
    auto admin = open(node);
    auto const role = &node == &fleet_->source() ? node_role::source : node_role::shard;
    run(*admin,
        "SET client_min_messages = error; DROP PUBLICATION IF EXISTS shardway_shop; DROP SCHEMA IF EXISTS "
        "shardway CASCADE; DROP SCHEMA IF EXISTS shop CASCADE; "
        "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'app') THEN CREATE ROLE app "
        "LOGIN; END IF; END $$; CREATE SCHEMA shop");
    run(*admin, ddl);
    run(*admin, node_schema_sql(role, node.name(), migration()));
    run(*admin, group_sql(role, "sales", epoch{1}, "app"));
    if (role == node_role::shard)
      for (auto const& table : tables_) run(*admin, shard_table_sql(table, "app"));
    run(*admin, "SELECT shardway.raise_token(1, 'test')");
  }
  static void drop_and_make(session& node, std::string const& name) {
    require(drop_replication_slot(node, name));
    require(create_logical_replication_slot(node, name, 10s));
  }
};
inline shardway::testing::cluster* stream_fixture::fleet_ = nullptr;

}  // namespace shardway_test
