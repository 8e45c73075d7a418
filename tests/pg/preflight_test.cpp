// The doctor on real servers: a good fleet passes, and each bad case is found and named.
#include "shardway/migrate/preflight/preflight.hpp"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/fix_texts.hpp"
#include "shardway/catalog/install.hpp"
#include "shardway/migrate/preflight/plan_steps.hpp"
#include "shardway/migrate/preflight/roles.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/must.hpp"

namespace shardway {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr char const* good_schema = R"sql(
SET client_min_messages = error;
SET ROLE shop_owner;
CREATE SCHEMA shop;
CREATE TABLE shop.orders (id bigserial PRIMARY KEY, customer_id bigint NOT NULL, note text);
CREATE TABLE shop.payments (id bigint PRIMARY KEY, customer_id bigint NOT NULL, order_id bigint CONSTRAINT payments_order REFERENCES shop.orders);
CREATE TABLE shop.suppliers (id bigint PRIMARY KEY, name text);
CREATE TABLE shop.unmoved (id bigint PRIMARY KEY);
GRANT USAGE ON SCHEMA shop TO app;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA shop TO app;
)sql";

// A fleet of its own major versions for each parameter: 13 has no grants on settings.
class preflight_test : public ::testing::TestWithParam<int> {
 protected:
  static void TearDownTestSuite() { fleets_.clear(); }

  void SetUp() override {
    auto& fleet = fleets_[GetParam()];
    if (!fleet)
      fleet = must(testing::cluster::start(
          {.source_major = GetParam(), .shard_major = 15, .shards = 1, .fast = true}));
    fleet_ = fleet.get();
    database_ = "test_" + std::to_string(++count_);
    for (auto* node : fleet_->all()) {
      must(node->query("CREATE DATABASE " + database_));
      run(*node, "DO $$ BEGIN CREATE ROLE shop_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
      auto const role = node == &fleet_->source() ? node_role::source : node_role::shard;
      run(*node, roles_sql(migration(), {.role = role,
                                         .server_version = node->major() * 10000,
                                         .database = database_,
                                         .owners = {"shop_owner"}}));
    }
    run(source(), "GRANT CREATE ON DATABASE " + database_ + " TO shop_owner");
    run(source(), good_schema);
  }
  void TearDown() override {
    for (auto* node : fleet_->all()) {
      run(*node, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
      must(node->query("DROP DATABASE " + database_ + " WITH (FORCE)"));
    }
  }

  testing::server& source() { return fleet_->source(); }
  testing::server& shard() { return fleet_->shard(0); }
  void run(testing::server& node, std::string const& sql) { must(node.query(sql, database_)); }

  migration_manifest migration() {
    migration_manifest out;
    out.name = "shop";
    out.source = {"source", source().conninfo(database_, "engine"), {}};
    out.shards = {{"shard1", shard().conninfo(database_, "engine"), {}}};
    out.application_role = "app";
    out.engine_role = "engine";
    out.mirror_role = "mirror";
    return out;
  }
  static std::vector<table_manifest> tables() {
    return {{.table = "shop.orders",
             .group = "orders",
             .shard_key = {"customer_id"},
             .key = {"id"},
             .ids = id_strategy_kind::interleaved},
            {.table = "shop.payments",
             .group = "orders",
             .shard_key = {"customer_id"},
             .key = {"id"},
             .ids_given = true}};
  }
  std::vector<finding> check(std::vector<table_manifest> const& manifests) {
    return check(migration(), manifests);
  }
  std::vector<finding> check(migration_manifest const& manifest,
                             std::vector<table_manifest> const& manifests) {
    options_.connect = [](node_definition const& node) {
      return connect({.node = node.name, .conninfo = node.conninfo});
    };
    auto found = must(run_preflight(manifest, manifests, options_));
    for (auto* node : fleet_->all()) {
      auto const admin = must(connect({.node = "admin", .conninfo = node->conninfo(database_)}));
      shardway_test::expect_fixes_parse(found, node == &source() ? "source" : "shard1", *admin);
    }
    return found;
  }
  static void expect(std::vector<finding> const& list, finding_level level, std::string const& id,
                     std::string const& node, std::string const& says) {
    auto const hit = std::any_of(list.begin(), list.end(), [&](finding const& one) {
      return one.id == id && one.level == level && one.node == node &&
             (one.subject + ": " + one.what).find(says) != std::string::npos &&
             (level == finding_level::pass || !one.fix.empty());
    });
    EXPECT_TRUE(hit) << "no " << name(level) << ' ' << id << " on " << node << " with \"" << says
                     << "\" in:\n"
                     << listing(list, id);
  }
  static std::string listing(std::vector<finding> const& list, std::string const& id) {
    std::string out;
    for (auto const& one : list)
      if (id.empty() || one.id == id)
        out += "  " + std::string(name(one.level)) + ' ' + one.id + " [" + one.node + "] " + one.subject +
               ": " + one.what + " -> " + one.fix + '\n';
    return out;
  }

  static std::map<int, std::unique_ptr<testing::cluster>> fleets_;
  static int count_;
  testing::cluster* fleet_{};
  std::string database_;
  preflight_options options_;
};
std::map<int, std::unique_ptr<testing::cluster>> preflight_test::fleets_;
int preflight_test::count_ = 0;

TEST_P(preflight_test, a_good_fleet_fails_nothing) {
  auto const list = check(tables());
  EXPECT_NE(worst(list), finding_level::fail) << listing(list, "");
  expect(list, finding_level::pass, "wal_level", "source", "logical");
  expect(list, finding_level::pass, "primary_key", "source", "shop.orders: (id)");
  expect(list, finding_level::pass, "owner_on_shard", "shard1", "shop_owner");
  expect(list, finding_level::pass, "replication_role", "source", "mirror");
  expect(list, finding_level::warn, "slot_wal_keep", "source", "-1");
}

TEST_P(preflight_test, nodes_that_do_not_answer_are_findings) {
  auto bad = migration();
  bad.shards[0].conninfo = "host=127.0.0.1 port=1 dbname=postgres user=engine";
  bad.source.conninfo = source().conninfo(database_, "nobody_of_this_name");
  auto const list = check(bad, tables());
  expect(list, finding_level::fail, "reachable", "source", "authentication_failed");
  expect(list, finding_level::fail, "reachable", "shard1", "node_unreachable");
}

TEST_P(preflight_test, roles_and_rights_that_are_missing_are_named) {  // F3, S21
  auto bad = migration();
  bad.application_role = "no_app";
  bad.engine_role = "weak_engine";
  bad.mirror_role = "weak_mirror";
  std::string const make =
      "DO $$ BEGIN CREATE ROLE weak_engine; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
      "DO $$ BEGIN CREATE ROLE weak_mirror; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
  run(source(), make);
  run(shard(), make);
  auto const list = check(bad, tables());
  expect(list, finding_level::fail, "role_exists", "source", "no_app");
  expect(list, finding_level::fail, "engine_rights", "source", "REPLICATION");
  expect(list, finding_level::fail, "engine_rights", "source", "CREATE on the database");
  expect(list, finding_level::fail, "engine_rights", "shard1", "pg_read_all_stats");
  expect(list, finding_level::fail, "owner_membership", "source", "no member of shop_owner");
  expect(list, finding_level::fail, "replication_role", "source",
         "shop.payments");  // its foreign key's triggers
  expect(list, finding_level::fail, "replication_role", "shard1", "weak_engine");
  expect(list, finding_level::fail, "owner_on_shard", "shard1", "no member");
}

TEST_P(preflight_test, an_owner_that_the_shard_lacks_and_grants_of_the_application) {
  run(source(),
      "DO $$ BEGIN CREATE ROLE source_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$; ALTER TABLE "
      "shop.orders OWNER TO"
      " source_owner; REVOKE SELECT ON shop.payments FROM app");
  auto const list = check(tables());
  expect(list, finding_level::fail, "owner_on_shard", "shard1", "source_owner: owns onboarded tables");
  expect(list, finding_level::warn, "application_grants", "source", "may not read \"shop\".\"payments\"");
}

TEST_P(preflight_test, an_extension_that_the_shard_lacks) {
  run(source(),
      "CREATE SCHEMA other; CREATE TYPE other.mood AS ENUM ('a'); ALTER TABLE shop.orders ADD COLUMN mood "
      "other.mood; ALTER"
      " EXTENSION plpgsql ADD TYPE other.mood");
  expect(check(tables()), finding_level::pass, "extension", "shard1", "plpgsql");
  run(source(), "ALTER EXTENSION plpgsql DROP TYPE other.mood");
  run(source(),
      "UPDATE pg_catalog.pg_extension SET extname = 'renamed' WHERE extname = 'plpgsql'; ALTER EXTENSION "
      "renamed ADD TYPE"
      " other.mood");
  expect(check(tables()), finding_level::fail, "extension", "shard1", "renamed");
}

TEST_P(preflight_test, transactions_in_the_way_are_named) {  // F5, W15
  run(source(), "BEGIN; INSERT INTO shop.unmoved VALUES (1); PREPARE TRANSACTION 'stuck'");
  auto const sleeper = must(connect(
      {.node = "source", .conninfo = source().conninfo(database_), .application_name = "nightly-job"}));
  must(sleeper->query({"BEGIN"}));
  must(sleeper->query({"SELECT pg_sleep(2.1)"}));
  auto list = check(tables());
  expect(list, finding_level::warn, "prepared_transactions", "source", "stuck");
  options_.transaction_age_max = 1s;
  list = check(tables());
  expect(list, finding_level::fail, "prepared_transactions", "source", "stuck");
  expect(list, finding_level::warn, "old_transactions", "source", "nightly-job");
  run(source(), "ROLLBACK PREPARED 'stuck'");
}

TEST_P(preflight_test, a_publication_of_all_tables_leaks_ours) {  // F6
  run(source(), "CREATE PUBLICATION debezium FOR ALL TABLES");
  expect(check(tables()), finding_level::fail, "all_tables_publication", "source", "debezium");
}

TEST_P(preflight_test, a_schema_of_another_migration_is_refused) {
  auto const owner = must(connect({.node = "shard1", .conninfo = shard().conninfo(database_, "engine")}));
  auto other = migration();
  other.name = "billing";
  must(install({{owner.get(), node_role::shard, "shard1"}}, other));
  run(source(), "CREATE SCHEMA shardway");
  auto const list = check(tables());
  expect(list, finding_level::fail, "installed", "shard1", "migration billing");
  expect(list, finding_level::fail, "installed", "source", "not ours");
}

TEST_P(preflight_test, a_clock_that_is_too_far_off) {  // X13
  options_.clock_difference_max = -1ms;                // no two clocks are that close
  expect(check(tables()), finding_level::warn, "clock", "source", "ms apart");
}

TEST_P(preflight_test, keys_that_do_not_fit_the_manifest) {  // F1, S9
  run(source(),
      "SET ROLE shop_owner; CREATE COLLATION shop.loose (provider = icu, locale = 'und-u-ks-level2', "
      "deterministic = false);"
      "CREATE TABLE shop.keys (a numeric, b text COLLATE shop.loose NOT NULL, c char(5) NOT NULL); ALTER "
      "TABLE shop.keys REPLICA"
      " IDENTITY NOTHING;"
      "GRANT SELECT ON shop.keys TO app");
  auto manifests = tables();
  manifests[0].key = {"customer_id"};
  manifests.push_back(
      {.table = "shop.keys", .group = "orders", .shard_key = {"a", "b", "c", "d"}, .key = {"a"}});
  manifests.push_back({.table = "shop.nowhere", .group = "orders", .shard_key = {"a"}, .key = {"a"}});
  auto const list = check(manifests);
  expect(list, finding_level::fail, "primary_key", "source", "it is (id), the manifest says (customer_id)");
  expect(list, finding_level::fail, "primary_key", "source", "shop.keys: it has no primary key");
  expect(list, finding_level::fail, "replica_identity", "source", "shop.keys");
  expect(list, finding_level::fail, "shard_key_type", "source", "shop.keys.a: type numeric");
  expect(list, finding_level::fail, "shard_key_type", "source", "shop.keys.c: type character(5)");
  expect(list, finding_level::fail, "shard_key_not_null", "source", "shop.keys.a");
  expect(list, finding_level::fail, "shard_key_collation", "source", "shop.keys.b");
  expect(list, finding_level::fail, "shard_key", "source", "shop.keys.d");
  expect(list, finding_level::fail, "table", "source", "shop.nowhere");
}

TEST_P(preflight_test, domains_and_enums_are_keys_by_the_type_under_them) {
  run(source(),
      "SET ROLE shop_owner; CREATE COLLATION shop.looser (provider = icu, locale = 'und-u-ks-level2', "
      "deterministic = false);"
      "CREATE TYPE shop.region AS ENUM ('north', 'south'); CREATE DOMAIN shop.zone AS shop.region;"
      "CREATE DOMAIN shop.number AS bigint; CREATE DOMAIN shop.tenant AS shop.number CHECK (VALUE > 0); "
      "CREATE DOMAIN shop.label AS varchar(64);"
      "CREATE DOMAIN shop.loose_text AS text COLLATE shop.looser; CREATE DOMAIN shop.fixed AS char(5); "
      "CREATE DOMAIN shop.price AS numeric(9,2);"
      "CREATE TABLE shop.good (id bigint PRIMARY KEY, region shop.region NOT NULL, tenant shop.tenant NOT "
      "NULL,"
      " label shop.label NOT NULL); CREATE TABLE shop.bad (id bigint PRIMARY KEY, loose shop.loose_text NOT "
      "NULL, fixed shop.fixed NOT NULL,"
      " price shop.price NOT NULL, zone shop.zone NOT NULL); GRANT SELECT ON shop.good, shop.bad TO app");
  auto manifests = tables();
  manifests.push_back(
      {.table = "shop.good", .group = "readings", .shard_key = {"region", "tenant", "label"}, .key = {"id"}});
  manifests.push_back({.table = "shop.bad",
                       .group = "others",
                       .shard_key = {"loose", "fixed", "price", "zone"},
                       .key = {"id"}});
  auto const list = check(manifests);
  expect(list, finding_level::pass, "shard_key_type", "source",
         "shop.good.region: shop.region, as a key text");
  expect(list, finding_level::pass, "shard_key_type", "source",
         "shop.good.tenant: shop.tenant, as a key bigint");
  expect(list, finding_level::pass, "shard_key_type", "source",
         "shop.good.label: shop.label, as a key character varying(64)");
  expect(list, finding_level::warn, "shard_key_enum", "source", "shop.good.region");
  expect(list, finding_level::fail, "shard_key_collation", "source", "shop.bad.loose");
  expect(list, finding_level::fail, "shard_key_type", "source",
         "shop.bad.fixed: type shop.fixed, as a key character(5)");
  expect(list, finding_level::fail, "shard_key_type", "source",
         "shop.bad.price: type shop.price, as a key numeric(9,2)");
  expect(list, finding_level::fail, "shard_key_type", "source",
         "shop.bad.zone: type shop.zone, as a key shop.region");
}

TEST_P(preflight_test, tables_of_a_shape_that_cannot_move) {  // S12, F2
  run(source(),
      "SET ROLE shop_owner; CREATE TABLE shop.child () INHERITS (shop.payments); ALTER TABLE shop.orders "
      "ENABLE ROW LEVEL"
      " SECURITY; ALTER TABLE shop.payments FORCE ROW LEVEL SECURITY;"
      "CREATE TYPE shop.pair AS (a int, b int); ALTER TABLE shop.orders ADD COLUMN pairs shop.pair[];"
      "ALTER TABLE shop.orders ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;"
      "CREATE UNLOGGED TABLE shop.fast (id bigint PRIMARY KEY, customer_id bigint NOT NULL);"
      "CREATE TABLE shop.parted (id bigint PRIMARY KEY, customer_id bigint NOT NULL) PARTITION BY RANGE "
      "(id); CREATE TABLE"
      " shop.parted_1 PARTITION OF shop.parted DEFAULT;"
      "CREATE VIEW shop.view AS SELECT * FROM shop.orders");
  auto manifests = tables();
  for (auto const* table : {"shop.fast", "shop.parted_1", "shop.view"})
    manifests.push_back({.table = table, .group = "orders", .shard_key = {"customer_id"}, .key = {"id"}});
  auto const list = check(manifests);
  expect(list, finding_level::fail, "inheritance", "source", "shop.payments");
  expect(list, finding_level::fail, "row_security", "source", "shop.orders");
  expect(list, finding_level::fail, "row_security", "source", "shop.payments");
  expect(list, finding_level::warn, "composite_column", "source", "shop.orders.pairs");
  expect(list, finding_level::fail, "identity_column", "source", "shop.orders.number");
  expect(list, finding_level::pass, "identity_column", "source", "shop.payments");
  expect(list, finding_level::fail, "table", "source", "shop.fast: it is unlogged");
  expect(list, finding_level::fail, "table", "source", "shop.parted_1: it is a partition");
  expect(list, finding_level::fail, "table", "source", "shop.view: it is no table");
}

TEST_P(preflight_test, unique_indexes_without_the_shard_key) {  // F4
  run(source(),
      "SET ROLE shop_owner; CREATE UNIQUE INDEX orders_note ON shop.orders (note); CREATE UNIQUE INDEX "
      "orders_both ON shop.orders"
      " (note, customer_id)");
  auto manifests = tables();
  expect(check(manifests), finding_level::fail, "unique_without_shard_key", "source", "orders_note");
  manifests[0].accept_unique = {"orders_note"};
  auto const list = check(manifests);
  expect(list, finding_level::warn, "unique_without_shard_key", "source", "orders_note");
  EXPECT_THAT(listing(list, "unique_without_shard_key"), ::testing::Not(HasSubstr("orders_both")));
}

TEST_P(preflight_test, foreign_keys_and_cascades_across_groups) {  // F4, W29
  run(source(),
      "SET ROLE shop_owner; ALTER TABLE shop.orders ADD COLUMN supplier bigint CONSTRAINT orders_supplier "
      "REFERENCES"
      " shop.suppliers ON DELETE CASCADE,"
      " ADD COLUMN other bigint CONSTRAINT orders_unmoved REFERENCES shop.unmoved ON DELETE SET NULL;"
      "ALTER TABLE shop.unmoved ADD COLUMN ref bigint CONSTRAINT unmoved_order REFERENCES shop.orders;"
      "ALTER TABLE shop.payments DROP CONSTRAINT payments_order, ADD CONSTRAINT payments_order FOREIGN KEY "
      "(order_id) REFERENCES"
      " shop.orders ON DELETE CASCADE");
  auto manifests = tables();
  manifests.push_back({.table = "shop.suppliers", .group = "supply", .shard_key = {"id"}, .key = {"id"}});
  auto list = check(manifests);
  expect(list, finding_level::fail, "foreign_key", "source",
         "orders_supplier: from shop.orders to shop.suppliers, which is in group"
         " supply");
  expect(list, finding_level::fail, "foreign_key", "source",
         "orders_unmoved: from shop.orders to shop.unmoved, which is not moved");
  expect(list, finding_level::warn, "foreign_key", "source", "unmoved_order");
  expect(list, finding_level::fail, "cascade", "source", "orders_unmoved");
  expect(list, finding_level::fail, "cascade", "source", "orders_supplier");
  expect(list, finding_level::warn, "cascade", "source", "payments_order");
  manifests[0].drop_foreign_keys = {"orders_supplier", "orders_unmoved"};
  expect(check(manifests), finding_level::pass, "foreign_key", "source", "orders_supplier");
}

TEST_P(preflight_test, triggers_that_reach_into_other_tables) {  // F4, W29
  run(source(),
      "SET ROLE shop_owner; CREATE FUNCTION shop.pay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE "
      "shop.payments SET"
      " order_id = 1; RETURN NEW; END';"
      "CREATE TRIGGER pay AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.pay(); CREATE "
      "TRIGGER outside AFTER"
      " INSERT ON shop.unmoved FOR EACH ROW EXECUTE FUNCTION shop.pay()");
  auto const list = check(tables());
  expect(list, finding_level::warn, "trigger", "source",
         "pay on shop.orders: its function names shop.payments");
  expect(list, finding_level::warn, "trigger_into", "source", "outside on shop.unmoved");
}

TEST_P(preflight_test, sequences_against_the_id_strategy) {
  auto manifests = tables();
  std::swap(manifests[0].ids, manifests[1].ids);
  auto list = check(manifests);
  expect(list, finding_level::fail, "ids", "source",
         "shop.orders: column id takes its values from sequence shop.orders_id_seq");
  expect(list, finding_level::fail, "ids", "source", "shop.payments: the manifest says interleaved");
  manifests = tables();
  manifests[0].id_stride = 1;
  expect(check(manifests), finding_level::fail, "ids", "source", "id_stride");
}

INSTANTIATE_TEST_SUITE_P(source, preflight_test, ::testing::Values(13, 15),
                         [](auto const& one) { return "of_" + std::to_string(one.param); });

// Needs its own servers: the settings take effect only at server start.
TEST(preflight_settings, servers_that_cannot_stream) {  // S21, F5
  auto const fleet = must(testing::cluster::start({.source_major = 15,
                                                   .shard_major = 13,
                                                   .shards = 1,
                                                   .settings = {{"wal_level", "replica"},
                                                                {"max_replication_slots", "0"},
                                                                {"max_wal_senders", "0"},
                                                                {"max_slot_wal_keep_size", "100MB"}},
                                                   .fast = true}));
  migration_manifest manifest;
  manifest.name = "shop";
  manifest.source = {"source", fleet->source().conninfo(), {}};
  manifest.shards = {{"shard1", fleet->shard(0).conninfo(), {}}};
  manifest.application_role = manifest.engine_role = manifest.mirror_role = "postgres";
  preflight_options options;
  options.connect = [](node_definition const& node) {
    return connect({.node = node.name, .conninfo = node.conninfo});
  };
  auto const list = must(run_preflight(manifest, {}, options));
  auto const fails = [&](std::string const& id, std::string const& node) {
    return std::any_of(list.begin(), list.end(), [&](auto const& one) {
      return one.id == id && one.node == node && one.level != finding_level::pass;
    });
  };
  for (auto const* id : {"wal_level", "replication_slots", "wal_senders", "slot_wal_keep"})
    EXPECT_TRUE(fails(id, "source")) << id;
  EXPECT_TRUE(fails("server_version", "shard1"));
  EXPECT_FALSE(fails("server_version", "source"));
}

TEST(preflight_settings, a_preflight_needs_a_way_to_connect) {
  EXPECT_EQ(run_preflight({}, {}, {}).error().code(), error_code::invalid_argument);
}

TEST(plan_steps, a_plan_ends_where_the_manifest_says) {
  migration_manifest manifest;
  manifest.shards = {{"shard1", "", {}}};
  std::vector<table_manifest> tables{
      {.table = "shop.orders", .group = "orders", .stage_until = stage::copying}};
  auto has = [](std::vector<plan_step> const& steps, std::string const& id) {
    return std::any_of(steps.begin(), steps.end(), [&](auto const& step) { return step.id == id; });
  };
  EXPECT_TRUE(has(plan(manifest, tables), "copy"));
  EXPECT_FALSE(has(plan(manifest, tables), "wave"));
  tables[0].stage_until = stage::sharded;
  EXPECT_TRUE(has(plan(manifest, tables), "wave"));
  EXPECT_FALSE(has(plan(manifest, tables), "finalize"));
  tables[0].kind = table_kind::reference;
  EXPECT_FALSE(has(plan(manifest, tables), "wave"));
  EXPECT_THAT(plan_text(plan(manifest, tables)), HasSubstr("1. roles, by the operator"));
}

}  // namespace
}  // namespace shardway
