// A source of 13 and two shards of 15 with hand-written progress, as if a stream had caught up.
#pragma once

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "lib/protocol/fence.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/protocol/schema.hpp"
#include "shardway/migrate/verify/verify.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/parallel_work.hpp"
#include "support/value_of.hpp"

namespace shardway_test {

using namespace shardway;
using namespace std::chrono_literals;

/// Writes to every node, again and again, that all streams have passed what is in the WAL now.
class streams_that_pass {
 public:
  streams_that_pass(std::unique_ptr<session> source, std::vector<std::unique_ptr<session>> shards,
                    bool mirrored)
      : source_(std::move(source)),
        shards_(std::move(shards)),
        mirrored_(mirrored),
        work_([this] { run(); }, [this] { stopping_ = true; }) {}

 private:
  static lsn position(session& of) {
    return *lsn::parse(value_of(of.query({.sql = "SELECT pg_current_wal_insert_lsn()"})).text(0, 0));
  }

  void run() {
    while (!stopping_) {
      auto const at = position(*source_);
      for (std::size_t i = 0; i < shards_.size(); ++i) {
        auto const here = position(*shards_[i]);
        require(shards_[i]->query(
            advance_statement(names::source_stream, {.applied = at, .marker = 0, .totals = {}})));
        if (mirrored_)
          require(source_->query(advance_statement("shard" + std::to_string(i + 1),
                                                   {.applied = here, .marker = 0, .totals = {}})));
      }
      std::this_thread::sleep_for(10ms);
    }
  }

  std::unique_ptr<session> source_;
  std::vector<std::unique_ptr<session>> shards_;
  bool mirrored_;
  std::atomic<bool> stopping_{};
  parallel_work work_;
};

/// Every test starts without tables, the source open at epoch 1 and the shards closed.
class verify_fixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = value_of(shardway::testing::cluster::start(
                          {.source_major = 13, .shard_major = 15, .shards = 2, .fast = true}))
                 .release();
  }
  static void TearDownTestSuite() { delete fleet_; }

  void SetUp() override {
    now_.number = 1;
    now_.migration = {.name = "shop",
                      .source = {.name = "source", .conninfo = {}, .replicas = {}},
                      .shards = {{.name = "shard1", .conninfo = {}, .replicas = {}},
                                 {.name = "shard2", .conninfo = {}, .replicas = {}}},
                      .application_role = "app",
                      .engine_role = "engine",
                      .mirror_role = "mirror"};
    now_.placement = even_placement(2);
    now_.groups = {{.name = "sales",
                    .stage = stage::dual_writing,
                    .authority = {{all_slots, std::nullopt, epoch{1}, {}}}}};
    source_ = prepare(fleet_->source(), node_role::source);
    for (std::size_t i = 0; i < 2; ++i) shards_.push_back(prepare(fleet_->shard(i), node_role::shard));
    options_ = {.range_rows = 50, .deadline = 20s, .recheck_wait = 3s, .recheck_limit = 20, .named_max = 100};
  }

  static std::unique_ptr<session> open(shardway::testing::server& node) {
    return value_of(connect({.node = node.name(), .conninfo = fleet_->conninfo(node)}));
  }
  std::unique_ptr<session> open_source() const { return open(fleet_->source()); }
  std::unique_ptr<session> open_shard(std::size_t i) const { return open(fleet_->shard(i)); }
  static rows run(session& on, std::string const& sql) { return value_of(on.simple(sql)); }
  static std::string one(session& on, std::string const& sql) { return std::string(run(on, sql).text(0, 0)); }
  session& shard(std::size_t i) { return *shards_[i]; }

  void everywhere(std::string const& sql) {
    run(*source_, sql);
    for (auto& node : shards_) run(*node, sql);
  }

  /// Creates a table on all nodes and adds it to the generation, its columns as the server names them.
  table_state& add_table(std::string const& name, std::string const& body, std::vector<std::string> key,
                         std::vector<std::string> shard_key, std::string const& more = {}) {
    everywhere("CREATE TABLE " + name + " (" + body + ") " + more);
    table_state table;
    table.manifest.table = name;
    table.manifest.group = "sales";
    table.manifest.kind = shard_key.empty() ? table_kind::reference : table_kind::sharded;
    table.manifest.key = std::move(key);
    table.manifest.shard_key = std::move(shard_key);
    auto const columns = run(*source_,
                             "SELECT attname, format_type(atttypid, atttypmod), attgenerated <> '', "
                             "attnotnull FROM pg_attribute WHERE attrelid = '" +
                                 name + "'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum");
    for (std::size_t i = 0; i < columns.size(); ++i)
      table.columns.push_back({std::string(columns.text(i, 0)), std::string(columns.text(i, 1)),
                               columns.boolean(i, 2), columns.boolean(i, 3)});
    for (auto& node : shards_) run(*node, shard_table_sql(table, "app"));
    now_.tables.push_back(std::move(table));
    return now_.tables.back();
  }

  /// shop.orders with rows 1 to `count` on the source.
  void add_orders(int count) {
    add_table("shop.orders",
              "id bigint PRIMARY KEY, customer_id bigint NOT NULL, note text, total numeric(12,2)", {"id"},
              {"customer_id"});
    run(*source_, "INSERT INTO shop.orders SELECT i, i, 'note ' || i, i * 1.10 FROM generate_series(1, " +
                      std::to_string(count) + ") i");
    copy_table("shop.orders");
  }

  /// Copies the source's rows to the shards of their slots, or all of them for a reference table.
  void copy_table(std::string const& name) {
    auto const& table = *now_.find_table(name);
    for (std::size_t i = 0; i < 2; ++i) copy_rows(table, i);
  }

  /// The shard on which the row of shop.orders with this id belongs: 0 or 1.
  std::size_t home(int id) {
    return one(*source_, "SELECT shardway.slot_of(" + std::to_string(id) + "::bigint) < 2048") == "t" ? 0 : 1;
  }
  /// The n-th id from 1 on whose home is the shard.
  int id_on(std::size_t node, int nth = 1) {
    for (int id = 1;; ++id)
      if (home(id) == node && --nth == 0) return id;
  }

  /// Authority of all slots moves to the shards: fences and generation.
  void move_all() {
    flip(*source_, all_slots, epoch{1}, false);
    flip(shard(0), now_.placement[0].slots, epoch{2}, true);
    flip(shard(1), now_.placement[1].slots, epoch{2}, true);
    now_.groups[0] = {.name = "sales",
                      .stage = stage::sharded,
                      .authority = {{now_.placement[0].slots, shard_id{0}, epoch{2}, {}},
                                    {now_.placement[1].slots, shard_id{1}, epoch{2}, {}}}};
  }

  static void flip(session& on, slot_range slots, epoch at, bool is_open) {
    std::vector<statement> const statements{{.sql = "BEGIN"},
                                            flip_lock_statement("sales"),
                                            flip_statement("sales", slots, at, is_open, {}, {}),
                                            {.sql = "COMMIT"}};
    for (auto const& answer : value_of(on.flush(statements))) require(answer);
  }

  engine_nodes nodes() const {
    auto const of = [](shardway::testing::server& node) {
      return connect_options{.node = node.name(), .conninfo = fleet_->conninfo(node)};
    };
    return {.source = of(fleet_->source()),
            .source_mirror = of(fleet_->source()),
            .shards = {of(fleet_->shard(0)), of(fleet_->shard(1))}};
  }

  std::unique_ptr<streams_that_pass> passing() const {
    std::vector<std::unique_ptr<session>> shards;
    for (std::size_t i = 0; i < 2; ++i) shards.push_back(open_shard(i));
    return std::make_unique<streams_that_pass>(open_source(), std::move(shards),
                                               now_.groups[0].stage == stage::sharded);
  }

  std::vector<table_verdict> verify() {
    auto const streams = passing();
    return value_of(verify_group(nodes(), now_, "sales", options_));
  }

  /// "kind node key" of each named row, sorted.
  static std::vector<std::string> named(table_verdict const& found) {
    std::vector<std::string> out;
    for (auto const& row : found.rows_named)
      out.push_back(std::string(name(row.kind)) + " " + row.node + " " + row.key.at(0));
    std::sort(out.begin(), out.end());
    return out;
  }

  static shardway::testing::cluster* fleet_;
  generation now_;
  verify_options options_;
  std::unique_ptr<session> source_;
  std::vector<std::unique_ptr<session>> shards_;

 private:
  std::unique_ptr<session> prepare(shardway::testing::server& node, node_role role) {
    auto admin = open(node);
    run(*admin,
        "SET client_min_messages = error; DROP SCHEMA IF EXISTS shardway CASCADE; DROP SCHEMA IF EXISTS shop "
        "CASCADE; DO $$ DECLARE r text; BEGIN FOREACH r IN "
        "ARRAY '{app,engine,mirror}'::text[] LOOP IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) "
        "THEN EXECUTE 'CREATE ROLE ' || r || ' LOGIN'; END IF; "
        "END LOOP; END $$; CREATE SCHEMA shop");
    run(*admin, node_schema_sql(role, node.name(), now_.migration));
    run(*admin, group_sql(role, "sales", epoch{1}, "app"));
    return admin;
  }

  void copy_rows(table_state const& table, std::size_t node) {
    std::string columns, casts;
    std::string slot = "true";
    for (auto const& column : table.columns) {
      if (column.generated) continue;
      columns += (columns.empty() ? "" : ", ") + names::quoted(column.name);
      casts += (casts.empty() ? "" : ", ") + names::quoted(column.name) + "::text";
    }
    if (!table.manifest.shard_key.empty())
      slot =
          "shardway.slot_of(" + names::quoted(table.manifest.shard_key[0]) + ") BETWEEN " + bounds_of(node);
    auto const found = run(*source_, "SELECT " + casts + " FROM " + table.manifest.table + " WHERE " + slot);
    for (std::size_t i = 0; i < found.size(); ++i) {
      std::string values;
      for (std::size_t c = 0; c < found.columns().size(); ++c)
        values += (c ? ", " : "") +
                  (found.at(i, c) ? shard(node).quote_literal(*found.at(i, c)) : std::string("NULL"));
      run(shard(node), "INSERT INTO " + table.manifest.table + " (" + columns + ") VALUES (" + values + ")");
    }
  }

  std::string bounds_of(std::size_t node) const {
    auto const& range = now_.placement[node].slots;
    return std::to_string(range.first.value()) + " AND " + std::to_string(range.last.value());
  }
};
inline shardway::testing::cluster* verify_fixture::fleet_ = nullptr;

}  // namespace shardway_test
