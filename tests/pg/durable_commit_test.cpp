// What others act on as soon as it is committed survives a crash, whatever a role has set for
// synchronous_commit.
#include "lib/protocol/durable_commit.hpp"

#include <gmock/gmock.h>

#include "lib/pg/application_session.hpp"
#include "lib/protocol/capture.hpp"
#include "lib/protocol/id_block.hpp"
#include "lib/protocol/lookup.hpp"
#include "protocol_fixture.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;

// A source whose WAL writer sleeps, so that a commit which waits for nobody is lost by a crash.
class durable : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    folder_ = value_of(shardway::testing::scratch_folder::make());
    node_ = value_of(shardway::testing::server::launch(
        folder_->path(),
        {.name = "source",
         .major = GetParam(),
         .settings = {{"wal_writer_delay", "10s"}, {"bgwriter_delay", "10s"}, {"autovacuum", "off"}},
         .fast = true}));
    require(node_->query("ALTER DATABASE postgres SET client_min_messages = warning"));
    require(node_->query(
        "CREATE ROLE app LOGIN; CREATE ROLE engine; CREATE ROLE mirror; CREATE SCHEMA shop; CREATE TABLE "
        "shop.orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, note text, total numeric(12,2)); "
        "CREATE TABLE shop.lost (id int); GRANT USAGE ON SCHEMA shop TO app; GRANT SELECT, INSERT, UPDATE, "
        "DELETE ON ALL TABLES IN SCHEMA shop TO app"));
    require(node_->query(node_schema_sql(node_role::source, "source", shop_migration())));
    require(node_->query(group_sql(node_role::source, "sales", epoch{1}, "app")));
    require(node_->query(capture_triggers_sql(captured_orders(), node_role::source, {})));
    require(
        node_->query("ALTER ROLE app SET synchronous_commit = off; ALTER ROLE app SET search_path = shop"));
    require(node_->query("CHECKPOINT"));
    app_ = open();
    EXPECT_EQ(setting("synchronous_commit"), "off");
  }

  static table_state captured_orders() {
    auto table = orders_table();
    table.manifest.capture = capture_kind::trigger;
    return table;
  }
  std::unique_ptr<session> open() {
    return value_of(
        connect_for_application({.node = "source", .conninfo = node_->conninfo("postgres", "app")}));
  }
  std::string setting(std::string const& name) {
    return std::string(value_of(app_->query({"SELECT pg_catalog.current_setting($1)", {name}})).text(0, 0));
  }
  void run(std::vector<statement> const& all) {
    for (auto const& answer : value_of(app_->flush(all)))
      EXPECT_TRUE(answer) << answer.error().to_string() << answer.error().server_detail();
  }
  statement framed_insert(std::int64_t id) {
    captured_statement const user{
        .operation = captured_statement::operation_type::insert,
        .body = "INSERT INTO shop.orders (id, customer_id) VALUES (" + std::to_string(id) + ", 1)",
        .alias = "orders",
        .returning = {},
        .parameter_count = 0};
    outbox_context const context{
        .id = write_id::make(), .first_ordinal = 1, .epoch = epoch{1}, .slot = slot_id{7}};
    return {.sql = capture_sql(user, orders_table(), true),
            .parameters = capture_parameters(context, {"1"}, true)};
  }
  // The commit of a plain statement after ours is not waited for, and shows that the crash loses such
  // commits.
  void crash_after_a_plain_commit() {
    require(app_->query({"INSERT INTO shop.lost VALUES (1)"}));
    app_.reset();
    require(node_->stop(shardway::testing::stop_mode::immediate));
    require(node_->start());
    EXPECT_EQ(value_of(node_->query("SELECT count(*) FROM shop.lost")), "0")
        << "the crash lost nothing: the test shows nothing";
  }
  std::string count(std::string const& from) {
    return value_of(node_->query("SELECT count(*) FROM " + from));
  }

  std::unique_ptr<shardway::testing::scratch_folder> folder_;
  std::unique_ptr<shardway::testing::server> node_;
  std::unique_ptr<session> app_;
};
INSTANTIATE_TEST_SUITE_P(servers, durable, ::testing::Values(13, 15), ::testing::PrintToStringParamName());

TEST_P(durable, AP1_a_captured_statement_survives_a_crash) {
  run({{.sql = "BEGIN"},
       fence_statement("sales", slot_id{7}, epoch{1}),
       framed_insert(1),
       {.sql = "COMMIT"}});
  crash_after_a_plain_commit();
  EXPECT_EQ(count("shop.orders"), "1");
  EXPECT_EQ(count("shardway.outbox"), "1");
}

TEST_P(durable, AP1_what_triggers_captured_survives_though_the_transaction_said_off) {
  outbox_context const context{
      .id = write_id::make(), .first_ordinal = 1, .epoch = epoch{1}, .slot = slot_id{7}};
  std::vector<text_value> const key{"1"};
  std::vector<statement> all{{.sql = "BEGIN"},
                             fence_statement("sales", slot_id{7}, epoch{1}),
                             capture_statement(trigger_duty::outbox, context, key),
                             {.sql = "INSERT INTO shop.orders (id, customer_id) VALUES (2, 1)"},
                             {.sql = "SET LOCAL synchronous_commit = off"}};
  for (auto& one : before_captured_statements()) all.push_back(std::move(one));
  all.push_back({.sql = "COMMIT"});
  run(all);
  crash_after_a_plain_commit();
  EXPECT_EQ(count("shop.orders"), "1");
  EXPECT_EQ(count("shardway.outbox"), "1");
}

TEST_P(durable, AL12_leased_ids_are_not_given_twice_after_a_crash) {
  require(node_->query("INSERT INTO shardway.id_block VALUES ('shop.orders', 1, 1000000); CHECKPOINT"));
  auto const lease = [&] {
    return value_of(
        parse_lease(value_of(app_->query(lease_ids_statement("shop.orders", 30))), "shop.orders"));
  };
  auto const first = lease();
  crash_after_a_plain_commit();
  app_ = open();
  EXPECT_EQ(lease(), first + 30);
}

TEST_P(durable, AP1_a_mapping_of_a_lookup_survives_a_crash) {
  auto table = orders_table();
  table.manifest.lookups = {{.name = "by_note", .columns = {"note"}, .unique = true}};
  auto const lookup = *find_lookup(table, "by_note");
  require(node_->query(lookup_table_sql(lookup, "app")));
  require(node_->query(lookup_table_sql(lookup, "app")));  // again
  require(node_->query("CHECKPOINT"));
  lookup_entry const entry{.lookup = lookup,
                           .value = shard_key{"a"},
                           .texts = {"a"},
                           .owner = {.shard_key = {"1"}, .row_key = {"1"}}};
  require(app_->query(lookup_insert_statement({&entry, 1})));
  crash_after_a_plain_commit();
  EXPECT_EQ(count(names::lookup_table("shop.orders", "by_note")), "1");
}

TEST_P(durable, a_stronger_setting_stays_and_a_plain_transaction_is_the_applications_own) {
  run({{.sql = "SET synchronous_commit = remote_apply"}, {.sql = "BEGIN"}, framed_insert(3)});
  EXPECT_EQ(setting("synchronous_commit"), "remote_apply");
  run({durable_commit_statement()});
  EXPECT_EQ(setting("synchronous_commit"), "remote_apply");
  run({{.sql = "ROLLBACK"}, {.sql = "RESET synchronous_commit"}, {.sql = "BEGIN"}, framed_insert(4)});
  EXPECT_EQ(setting("synchronous_commit"), "local");
  run({{.sql = "COMMIT"}});
  EXPECT_EQ(setting("synchronous_commit"), "off");
}

// AP21, AS27, AF10: what a role and a database have set reaches no session of the library's own.
TEST_P(durable, AP21_AS27_AF10_settings_of_role_and_database_do_not_reach_our_own_sessions) {
  if (GetParam() >= 14) require(node_->query("ALTER DATABASE postgres SET idle_session_timeout = '4s'"));
  require(node_->query(
      "ALTER ROLE postgres SET synchronous_commit = off; ALTER ROLE postgres SET array_nulls = off; ALTER "
      "ROLE "
      "postgres SET statement_timeout = '2s'; ALTER ROLE postgres SET lock_timeout = '1s'; ALTER DATABASE "
      "postgres SET DateStyle = 'SQL, DMY'; ALTER DATABASE postgres SET IntervalStyle = 'sql_standard'; "
      "ALTER "
      "DATABASE postgres SET lc_monetary = 'C.UTF-8'; ALTER DATABASE postgres SET quote_all_identifiers = "
      "on; "
      "ALTER DATABASE postgres SET default_transaction_read_only = on; ALTER DATABASE postgres SET xmloption "
      "= "
      "document; ALTER DATABASE postgres SET idle_in_transaction_session_timeout = '3s'; ALTER DATABASE "
      "postgres SET extra_float_digits = -3; ALTER DATABASE postgres SET transform_null_equals = on"));
  app_ = value_of(connect({.node = "source", .conninfo = node_->conninfo()}));
  for (auto const& [name, wanted] : std::initializer_list<std::pair<char const*, char const*>>{
           {"synchronous_commit", "on"},
           {"array_nulls", "on"},
           {"statement_timeout", "0"},
           {"lock_timeout", "0"},
           {"DateStyle", "ISO, DMY"},
           {"IntervalStyle", "postgres"},
           {"lc_monetary", "C"},
           {"quote_all_identifiers", "off"},
           {"default_transaction_read_only", "off"},
           {"xmloption", "content"},
           {"idle_in_transaction_session_timeout", "0"},
           {"extra_float_digits", "3"},
           {"transform_null_equals", "off"},
           {"row_security", "off"}})
    EXPECT_EQ(setting(name), wanted) << name;
  if (GetParam() >= 14) {
    EXPECT_EQ(setting("idle_session_timeout"), "0");
  }
  app_ = value_of(connect_for_application({.node = "source", .conninfo = node_->conninfo()}));
  EXPECT_EQ(setting("statement_timeout"), "2s") << "an application keeps its own";
  EXPECT_EQ(setting("synchronous_commit"), "off");
  app_.reset();
}

}  // namespace
