// A rehearsal on real servers: a source of 13, two shards of 15, roles with the rights that roles_sql gives.
#include "shardway/migrate/rehearsal/rehearsal.hpp"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/migrate/rehearsal/scratch_database.hpp"
#include "shardway/migrate/preflight/roles.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/must.hpp"

namespace shardway {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char const* shop_schema = R"sql(
SET client_min_messages = error;
CREATE SCHEMA shop AUTHORIZATION shop_owner;
SET ROLE shop_owner;
CREATE TYPE shop.state AS ENUM ('new', 'paid');
CREATE TABLE shop.orders (
  id bigint PRIMARY KEY, customer_id bigint NOT NULL, state shop.state NOT NULL DEFAULT 'new', note text,
  total numeric(12,2) NOT NULL CHECK (total >= 0), doubled numeric GENERATED ALWAYS AS (total * 2) STORED, tags text[]);
CREATE INDEX orders_state ON shop.orders (state);
CREATE TABLE shop.lines (
  customer_id bigint NOT NULL, order_id bigint NOT NULL CONSTRAINT lines_order REFERENCES shop.orders, number int,
  PRIMARY KEY (customer_id, order_id, number)) PARTITION BY HASH (order_id);
CREATE TABLE shop.lines_0 PARTITION OF shop.lines FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shop.lines_1 PARTITION OF shop.lines FOR VALUES WITH (MODULUS 2, REMAINDER 1);
GRANT USAGE ON SCHEMA shop TO app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO app;
INSERT INTO shop.orders (id, customer_id, total, note, tags)
  SELECT g, g % 50, g, CASE WHEN g % 3 = 0 THEN 'a "note"' END, ARRAY['x', NULL, 'y z'] FROM generate_series(1, 500) g;
INSERT INTO shop.lines SELECT customer_id, id, 1 FROM shop.orders;
)sql";

migration_manifest shop() {
  migration_manifest out;
  out.name = "shop";
  out.source.name = "source";
  out.shards = {{"shard1", "", {}}, {"shard2", "", {}}};
  out.application_role = "app";
  out.engine_role = "engine";
  out.mirror_role = "mirror";
  return out;
}

table_manifest manifest_of(std::string table, std::vector<std::string> key) {
  table_manifest out;
  out.table = std::move(table);
  out.group = "orders";
  out.shard_key = {"customer_id"};
  out.key = std::move(key);
  return out;
}

// Servers are shared by all tests; each test has a database of its own.
class rehearsal_test : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ =
        must(testing::cluster::start({.source_major = 13, .shard_major = 15, .shards = 2, .fast = true}));
    for (auto* node : fleet_->all()) must(node->query("CREATE ROLE shop_owner"));
  }
  static void TearDownTestSuite() { fleet_.reset(); }

  void SetUp() override {
    database_ = "test_" + std::to_string(++count_);
    for (auto* node : fleet_->all()) {
      must(node->query("CREATE DATABASE " + database_));
      auto const role = node == &fleet_->source() ? node_role::source : node_role::shard;
      run(*node, roles_sql(shop(), {.role = role,
                                    .server_version = node->major() * 10000,
                                    .database = database_,
                                    .owners = {"shop_owner"}}));
    }
    run(fleet_->source(), shop_schema);
    tables_ = {manifest_of("shop.orders", {"id"}),
               manifest_of("shop.lines", {"customer_id", "order_id", "number"})};
  }
  void TearDown() override {
    for (auto* node : fleet_->all()) {
      EXPECT_EQ(must(node->query("SELECT count(*) FROM pg_database WHERE datname LIKE 'shardway%'")), "0")
          << "a scratch database is left on " << node->name();
      must(node->query("DROP DATABASE " + database_ + " WITH (FORCE)"));
    }
  }

  void run(testing::server& node, std::string const& sql) { must(node.query(sql, database_)); }
  void plant(std::string const& sql) { run(fleet_->source(), "SET ROLE shop_owner; " + sql); }
  connect_options place(testing::server& node) {
    return {.node = node.name(), .conninfo = node.conninfo(database_, "engine")};
  }
  rehearsal_report rehearse() {
    rehearsal_options options;
    options.nodes = {.source = place(fleet_->source()),
                     .source_mirror = {},
                     .shards = {place(fleet_->shard(0)), place(fleet_->shard(1))}};
    return must(run_rehearsal(shop(), tables_, "orders", options));
  }
  // The planted problem is found on both shards, at this step, with these words.
  void expect_problem(std::string const& step, std::string const& words) {
    auto const report = rehearse();
    EXPECT_FALSE(report.passed());
    for (auto const& shard : {fleet_->shard(0).name(), fleet_->shard(1).name()})
      EXPECT_THAT(report.problems, Contains(AllOf(Field(&rehearsal_problem::shard, shard),
                                                  Field(&rehearsal_problem::step, step),
                                                  Field(&rehearsal_problem::what, HasSubstr(words)),
                                                  Field(&rehearsal_problem::fix, Not(IsEmpty())))))
          << describe(report);
  }
  static std::string describe(rehearsal_report const& report) {
    std::string out;
    for (auto const& one : report.problems)
      out += one.shard + " " + one.step + " " + one.object + ": " + one.what + "\n";
    return out;
  }

  static std::unique_ptr<testing::cluster> fleet_;
  static int count_;
  std::string database_;
  std::vector<table_manifest> tables_;
};

std::unique_ptr<testing::cluster> rehearsal_test::fleet_;
int rehearsal_test::count_ = 0;

TEST_F(rehearsal_test, a_good_group_passes_and_leaves_nothing) {
  auto const source_before = must(fleet_->source().query("SELECT count(*) FROM pg_class", database_));
  auto const report = rehearse();
  EXPECT_TRUE(report.passed()) << describe(report);
  ASSERT_EQ(report.tables.size(), 4u);
  for (auto const& table : report.tables) {
    EXPECT_EQ(table.rows, 500) << table.table;
    EXPECT_EQ(table.changes, 200);
    EXPECT_GT(table.bytes, 0);
    EXPECT_GT(table.disk_bytes, 0);
  }
  EXPECT_EQ(must(fleet_->source().query("SELECT count(*) FROM pg_class", database_)), source_before);
  EXPECT_EQ(must(fleet_->shard(0).query("SELECT to_regnamespace('shop') IS NULL", database_)), "t");
}

TEST_F(rehearsal_test, what_a_killed_rehearsal_left_is_dropped) {
  auto const left = migrate::rehearsal::scratch_name("shop");
  must(fleet_->shard(0).query("CREATE DATABASE " + left + " OWNER engine"));
  EXPECT_TRUE(rehearse().passed());
}

TEST_F(rehearsal_test, a_missing_right_is_named) {
  must(fleet_->shard(0).query("ALTER ROLE engine NOCREATEDB"));
  auto const report = rehearse();
  must(fleet_->shard(0).query("ALTER ROLE engine CREATEDB"));
  ASSERT_EQ(report.problems.size(), 1u) << describe(report);
  EXPECT_EQ(report.problems[0].step, "database");
  EXPECT_THAT(report.problems[0].fix, HasSubstr("CREATEDB"));
  EXPECT_EQ(report.tables.size(), 2u) << "the other shard is rehearsed all the same";
}

TEST_F(rehearsal_test, rows_that_belong_to_other_shard_keys) {  // AS17
  plant(
      "INSERT INTO shop.orders (id, customer_id, total) VALUES (1000, 1000, 1);"
      "INSERT INTO shop.lines VALUES (7, 1000, 9); DELETE FROM shop.orders WHERE false");
  rehearsal_options options;
  options.nodes = {
      .source = place(fleet_->source()), .source_mirror = {}, .shards = {place(fleet_->shard(0))}};
  options.sample_keys = 50;  // the keys that come first; 1000 is not among them
  auto const report = must(run_rehearsal(shop(), tables_, "orders", options));
  EXPECT_THAT(report.problems, Contains(AllOf(Field(&rehearsal_problem::step, "finish"),
                                              Field(&rehearsal_problem::what, HasSubstr("lines_order")))))
      << describe(report);
}

TEST_F(rehearsal_test, a_deferrable_key) {  // AS1
  plant(
      "ALTER TABLE shop.orders DROP CONSTRAINT orders_pkey CASCADE;"
      "ALTER TABLE shop.orders ADD PRIMARY KEY (id) DEFERRABLE");
  expect_problem("apply", "orders_pkey");
}

TEST_F(rehearsal_test, a_trigger_whose_function_stays_behind) {  // AS16
  run(fleet_->source(), "CREATE SCHEMA other AUTHORIZATION shop_owner");
  plant(
      "CREATE FUNCTION other.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
      "CREATE TRIGGER touch BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION other.touch()");
  expect_problem("finish", "3F000");
}

TEST_F(rehearsal_test, a_column_that_holds_numbers_of_objects) {  // AS7
  plant("ALTER TABLE shop.orders ADD COLUMN kind regclass DEFAULT 'shop.lines'::regclass");
  expect_problem("compare", "column kind differs");
}

TEST_F(rehearsal_test, a_trigger_that_also_runs_for_replicas) {  // AS23
  plant(
      "CREATE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := ''stamped''; "
      "RETURN NEW; END';"
      "CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION "
      "shop.stamp();"
      "ALTER TABLE shop.orders ENABLE ALWAYS TRIGGER stamp");
  auto const report = rehearse();
  // Onboarding makes it an ordinary trigger on shards: this is the source's difference, which the doctor
  // names.
  EXPECT_TRUE(report.passed()) << describe(report);
}

TEST_F(rehearsal_test, an_owner_that_the_shards_do_not_know) {
  must(fleet_->source().query("CREATE ROLE stranger; GRANT stranger TO engine", database_));
  run(fleet_->source(), "ALTER TABLE shop.lines OWNER TO stranger; GRANT ALL ON SCHEMA shop TO stranger");
  auto const report = rehearse();
  EXPECT_THAT(report.problems, Contains(Field(&rehearsal_problem::object, "role stranger")))
      << describe(report);
  must(fleet_->source().query("DROP OWNED BY stranger; DROP ROLE stranger", database_));
}

TEST_F(rehearsal_test, a_table_as_wide_as_tables_can_be) {  // AS18
  std::string columns;
  for (int i = 0; i < 1593; ++i) columns += ", ADD COLUMN c" + std::to_string(i) + " bool";
  plant("ALTER TABLE shop.orders " + columns.substr(2));
  expect_problem("schema", "54011");
}

TEST_F(rehearsal_test, a_key_too_long_for_our_index) {  // AS18
  plant(
      "CREATE TABLE shop.notes (name text COLLATE \"C\", customer_id text NOT NULL, PRIMARY KEY (name));"
      "GRANT ALL ON shop.notes TO app;"
      "INSERT INTO shop.notes SELECT string_agg(md5(g::text), ''), string_agg(md5((g + 100)::text), '') FROM "
      "generate_series(1, 60) g");
  tables_ = {manifest_of("shop.notes", {"name"})};
  expect_problem("copy", "shop.notes");
}

TEST_F(rehearsal_test, a_function_of_a_default_that_is_not_there) {  // AS16
  run(fleet_->source(), "CREATE SCHEMA tools AUTHORIZATION shop_owner");
  plant(
      "CREATE FUNCTION tools.make() RETURNS text LANGUAGE sql AS 'SELECT ''x''::text';"
      "ALTER TABLE shop.orders ADD COLUMN code text DEFAULT tools.make()");
  expect_problem("schema", "orders");
}

}  // namespace
}  // namespace shardway
