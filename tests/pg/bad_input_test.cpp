// Bad input is refused before anything is changed. The message says what is wrong, where, and what to do.
#include <gmock/gmock.h>

#include "kill_fixture.hpp"

namespace shardway_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// One source and one shard with a good table. Each test breaks one thing.
class bad_input : public ::testing::Test {
 protected:
  void start(shardway::testing::settings_map settings = {}) {
    fleet_ = value_of(shardway::testing::cluster::start(
        {.source_major = 13, .shard_major = 15, .shards = 1, .settings = std::move(settings), .fast = true}));
    auto& migration = options_.migration;
    migration.name = "shop";
    migration.source = {.name = "source", .conninfo = address(fleet_->source()), .replicas = {}};
    migration.shards = {{.name = "shard1", .conninfo = address(fleet_->shard(0)), .replicas = {}}};
    migration.application_role = "app";
    migration.engine_role = "engine";
    migration.mirror_role = "mirror";
    options_.holder = "test";
    options_.rehearsal_age_max = 0s;  // what a rehearsal finds has tests of its own
    options_.lease_wait = 0ms;
    for (auto* node : fleet_->all()) {
      on(*node, "CREATE ROLE shop_owner; CREATE ROLE app LOGIN");
      on(*node,
         roles_sql(migration, {.role = node == &fleet_->source() ? node_role::source : node_role::shard,
                               .server_version = node->major() * 10000,
                               .database = "postgres",
                               .owners = {"shop_owner"}}));
    }
    on(fleet_->source(),
       "CREATE SCHEMA shop AUTHORIZATION shop_owner; SET ROLE shop_owner; CREATE TABLE shop.orders (id "
       "bigint PRIMARY KEY, customer_id bigint NOT NULL, note text); "
       "GRANT USAGE ON SCHEMA shop TO app; GRANT SELECT ON shop.orders TO app");
  }
  static std::string address(shardway::testing::server const& node) {
    return "host=" + node.folder().string() + " port=" + std::to_string(node.port()) + " dbname=postgres";
  }
  static std::string on(shardway::testing::server& node, std::string const& sql) {
    return value_of(node.query(sql));
  }

  static table_manifest orders() {
    table_manifest table;
    table.table = "shop.orders";
    table.group = "sales";
    table.shard_key = {"customer_id"};
    table.key = {"id"};
    table.ids = id_strategy_kind::external;
    table.ids_given = true;
    return table;
  }
  error refused(table_manifest const& table = orders()) {
    auto const applied = apply_manifests(options_, {table});
    if (applied) throw std::runtime_error("it was not refused");
    return applied.error();
  }
  static std::string told(error const& why) { return why.message() + " -> " + why.hint(); }
  void expect_untouched() {
    for (auto* node : fleet_->all())
      EXPECT_EQ(on(*node,
                   "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = 'shardway') + (SELECT count(*) "
                   "FROM pg_publication) + "
                   "(SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_trigger WHERE NOT "
                   "tgisinternal)"),
                "0")
          << node->name();
  }

  std::unique_ptr<shardway::testing::cluster> fleet_;
  controller_options options_;
};

TEST_F(bad_input, of_addresses_and_nodes) {
  start();
  auto const good = options_.migration;
  options_.migration.shards[0].conninfo = "host=127.0.0.1 port=1 dbname=postgres";
  auto const unreachable = refused();
  EXPECT_EQ(unreachable.code(), error_code::node_unreachable);
  EXPECT_THAT(told(unreachable), HasSubstr("shard1"));
  options_.migration = good;
  options_.migration.shards[0].conninfo = good.source.conninfo;
  auto const twice = refused();
  EXPECT_EQ(twice.code(), error_code::precondition_failed);
  EXPECT_THAT(told(twice), AllOf(HasSubstr("shard1: it is the same database as source"),
                                 HasSubstr("a database of its own")));
  auto const standby = value_of(fleet_->shard(0).make_replica({}));
  options_.migration.shards[0].conninfo = address(*standby);
  EXPECT_THAT(told(refused()),
              AllOf(HasSubstr("shard1: it is a standby"), HasSubstr("address of the primary")));
  options_.migration = good;
  options_.migration.mirror_role = "nobody_made_this_role";
  EXPECT_THAT(told(refused()),
              AllOf(HasSubstr("source"), HasSubstr("nobody_made_this_role"), HasSubstr("->")));
  expect_untouched();
}

TEST_F(bad_input, of_a_controller_before_any_manifest) {
  start();
  auto const started = controller::start(options_);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), error_code::precondition_failed);
  EXPECT_THAT(told(started.error()), AllOf(HasSubstr("no generation was ever published on source"),
                                           HasSubstr("shardway manifest apply")));
  expect_untouched();
}

TEST_F(bad_input, of_a_server_that_cannot_stream) {  // S21
  start({{"wal_level", "replica"}, {"max_replication_slots", "0"}});
  auto const why = refused();
  EXPECT_EQ(why.code(), error_code::precondition_failed);
  EXPECT_THAT(told(why), AllOf(HasSubstr("source: replica: changes cannot be decoded"),
                               HasSubstr("ALTER SYSTEM SET wal_level = 'logical'")));
  EXPECT_THAT(told(why), AllOf(HasSubstr("max_replication_slots: 0 of 0 in use, 1 needed"),
                               HasSubstr("ALTER SYSTEM SET max_replication_slots")));
  expect_untouched();
}

TEST_F(bad_input, of_a_server_whose_replication_slots_are_used_up) {
  start({{"max_replication_slots", "1"}});
  on(fleet_->source(), "SELECT pg_create_physical_replication_slot('backup')");
  EXPECT_THAT(told(refused()), AllOf(HasSubstr("source: max_replication_slots: 1 of 1 in use, 1 needed"),
                                     HasSubstr("ALTER SYSTEM SET max_replication_slots = 6")));
  on(fleet_->source(), "SELECT pg_drop_replication_slot('backup')");
  expect_untouched();
}

TEST_F(bad_input, of_tables_and_columns) {  // S9
  start();
  auto& source = fleet_->source();
  auto wrong = orders();
  wrong.table = "shop.oders";
  auto why = refused(wrong);
  EXPECT_EQ(why.code(), error_code::unknown_table);
  EXPECT_THAT(told(why), AllOf(HasSubstr("shop.oders on node source"), HasSubstr("correct the name")));
  wrong = orders();
  wrong.shard_key = {"costumer_id"};
  EXPECT_THAT(told(refused(wrong)), AllOf(HasSubstr("shop.orders on node source"),
                                          HasSubstr("no column costumer_id"), HasSubstr("shard_key")));
  on(source, "ALTER TABLE shop.orders REPLICA IDENTITY NOTHING");  // published so, every UPDATE of the
                                                                   // application would fail
  EXPECT_THAT(told(refused()),
              AllOf(HasSubstr("source: shop.orders: it is NOTHING"), HasSubstr("REPLICA IDENTITY DEFAULT")));
  on(source,
     "ALTER TABLE shop.orders REPLICA IDENTITY DEFAULT; ALTER TABLE shop.orders DROP CONSTRAINT orders_pkey");
  why = refused();
  EXPECT_EQ(why.code(), error_code::precondition_failed);
  EXPECT_THAT(told(why), AllOf(HasSubstr("shop.orders on node source: it has no primary key"),
                               HasSubstr("ADD PRIMARY KEY")));
  expect_untouched();
}

TEST_F(bad_input, of_a_second_controller) {
  start();
  require(apply_manifests(options_, {orders()}));
  auto const first = value_of(controller::start(options_));
  auto const token = on(fleet_->shard(0), "SELECT max(token) FROM shardway.controller_token");
  options_.holder = "the second one";
  auto const second = controller::start(options_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), error_code::lease_held);
  EXPECT_THAT(told(second.error()),
              AllOf(HasSubstr("held by test until"), HasSubstr("stop that controller")));
  EXPECT_EQ(apply_manifests(options_, {orders()}).error().code(), error_code::lease_held);
  EXPECT_EQ(on(fleet_->shard(0), "SELECT max(token) FROM shardway.controller_token"), token);
}

// The source is not changed until the shards are known to fit.
TEST_F(bad_input, of_a_table_that_differs_on_the_shard) {
  start();
  on(fleet_->shard(0),
     "CREATE SCHEMA shop AUTHORIZATION shop_owner; SET ROLE shop_owner; CREATE TABLE shop.orders (id bigint "
     "PRIMARY KEY, customer_id int NOT NULL, extra text)");
  require(apply_manifests(options_, {orders()}));
  auto const running = value_of(controller::start(options_));
  std::jthread const loop([&](std::stop_token stop) { (void)running->run(stop); });
  auto const catalog =
      value_of(connect({.node = "source", .conninfo = options_.migration.source.conninfo + " user=engine"}));
  auto const asked = value_of(enqueue_request(*catalog, "advance", R"({"group": "sales", "to": "copying"})"));
  auto const answer = value_of(wait_for_request(*catalog, asked, std::chrono::steady_clock::now() + 30s));
  EXPECT_EQ(answer.error_code, "schema_drift");
  EXPECT_THAT(
      answer.error_message,
      AllOf(HasSubstr("table shop.orders: column customer_id is bigint NOT NULL on the source, integer "
                      "NOT NULL on shard1"),
            HasSubstr("column note is missing on shard1"), HasSubstr("column extra is on shard1 only"),
            HasSubstr("definition on shard1")));
  EXPECT_EQ(on(fleet_->source(),
               "SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots) + "
               "(SELECT count(*) FROM pg_trigger WHERE tgrelid = 'shop.orders'::regclass)"),
            "0");
  EXPECT_EQ(on(fleet_->shard(0),
               "SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop.orders'::regclass AND attname = "
               "'_shardway_version'"),
            "0");
}

// A prepared transaction that nobody ends (W15).
class bad_moment : public kill_fixture {};

TEST_F(bad_moment, of_a_wave_while_a_prepared_transaction_is_open) {
  start();
  run_controller();
  prepare_waves();
  value_of(open(fleet_->source(), "engine")->simple("BEGIN; SELECT 1; PREPARE TRANSACTION 'forgotten'"));
  request answer;
  EXPECT_TRUE(soon([&] {
    answer = ask("wave", wave_to(10));
    return answer.error_message.find("prepared_transactions") != std::string::npos;
  }));
  EXPECT_EQ(answer.error_code, "gate_red");
  EXPECT_THAT(answer.error_message, AllOf(HasSubstr("source: prepared by engine"),
                                          HasSubstr("COMMIT PREPARED or ROLLBACK PREPARED")));
  EXPECT_EQ(owned(), (ownership{.nowhere = 0, .twice = 0, .on_source = 4096}));
  EXPECT_EQ(on_source("SELECT count(*) FROM shardway.wave"), "0");
  run_on(fleet_->source(), "ROLLBACK PREPARED 'forgotten'");
  wave(10);
}

}  // namespace
}  // namespace shardway_test
