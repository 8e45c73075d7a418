// A source of 13 and a shard of 15 with one onboarded table, installed from the protocol's SQL alone.
#pragma once

#include <gtest/gtest.h>

#include "lib/protocol/fence.hpp"
#include "lib/protocol/guarded_apply.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/outbox.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/protocol/schema.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/value_of.hpp"

namespace shardway_test {

using namespace shardway;
using namespace std::chrono_literals;

inline migration_manifest shop_migration() {
  return {.name = "shop",
          .source = {.name = "source", .conninfo = {}, .replicas = {}},
          .shards = {{.name = "shard1", .conninfo = {}, .replicas = {}}},
          .application_role = "app",
          .engine_role = "engine",
          .mirror_role = "mirror"};
}

inline table_state orders_table() {
  table_state table;
  table.manifest.table = "shop.orders";
  table.manifest.group = "sales";
  table.manifest.shard_key = {"customer_id"};
  table.manifest.key = {"id"};
  table.columns = {{"id", "bigint", false, true},
                   {"customer_id", "bigint", false, true},
                   {"note", "text", false, false},
                   {"total", "numeric(12,2)", false, false}};
  return table;
}

/// Every test starts with empty tables, the source open at epoch 1 and the shard closed at epoch 1.
class protocol_fixture : public ::testing::Test {
 protected:
  static constexpr slot_id slot{7};

  static void SetUpTestSuite() {
    fleet_ = value_of(shardway::testing::cluster::start(
                          {.source_major = 13, .shard_major = 15, .shards = 1, .fast = true}))
                 .release();
  }
  static void TearDownTestSuite() { delete fleet_; }

  void SetUp() override {
    prepare(fleet_->source(), node_role::source);
    prepare(fleet_->shard(0), node_role::shard);
    source_ = open_source();
    shard_ = open_shard();
  }

  std::unique_ptr<session> open_source() const { return open(fleet_->source()); }
  std::unique_ptr<session> open_shard() const { return open(fleet_->shard(0)); }

  static std::unique_ptr<session> open(shardway::testing::server& node, std::string const& role = {}) {
    return value_of(connect(
        {.node = node.name(), .conninfo = fleet_->conninfo(node) + (role.empty() ? "" : " user=" + role)}));
  }

  static rows run(session& on, std::string const& sql) { return value_of(on.simple(sql)); }
  static std::string one(session& on, std::string const& sql) { return std::string(run(on, sql).text(0, 0)); }

  /// Flips a range on a node as a wave does.
  static void flip(session& on, slot_range slots, epoch at, bool open, std::optional<std::string> wave = {},
                   std::optional<std::chrono::milliseconds> deadline = {}) {
    std::vector<statement> const statements{{.sql = "BEGIN"},
                                            flip_lock_statement("sales"),
                                            flip_statement("sales", slots, at, open, wave, deadline),
                                            {.sql = "COMMIT"}};
    for (auto const& answer : value_of(on.flush(statements))) require(answer);
  }

  static shardway::testing::cluster* fleet_;
  std::unique_ptr<session> source_, shard_;

 private:
  static void prepare(shardway::testing::server& node, node_role role) {
    auto admin = open(node);
    run(*admin,
        "SET client_min_messages = error; DROP SCHEMA IF EXISTS shardway CASCADE; DROP SCHEMA IF EXISTS shop "
        "CASCADE; DO $$ DECLARE r text; BEGIN FOREACH r IN ARRAY '{app,engine,mirror}'::text[] LOOP "
        "IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) THEN EXECUTE 'CREATE ROLE ' || r || ' "
        "LOGIN'; END IF; END LOOP; END $$; "
        "CREATE SCHEMA shop; CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, "
        "note text, total numeric(12,2)); "
        "GRANT USAGE ON SCHEMA shop TO app; GRANT SELECT, INSERT, UPDATE, DELETE ON shop.orders TO app");
    run(*admin, node_schema_sql(role, role == node_role::source ? "source" : "shard1", shop_migration()));
    run(*admin, group_sql(role, "sales", epoch{1}, "app"));
    if (role == node_role::shard) run(*admin, shard_table_sql(orders_table(), "app"));
  }
};
inline shardway::testing::cluster* protocol_fixture::fleet_ = nullptr;

}  // namespace shardway_test
