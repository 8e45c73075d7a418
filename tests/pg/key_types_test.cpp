// Domains and enums in the shard key, and a pinned key, through copy, stream, dual write and wave.
#include "lib/protocol/column_lists.hpp"
#include "migration_fixture.hpp"
#include "shardway/manifest/validate.hpp"
#include "shardway/route/slot.hpp"

namespace shardway_test {
namespace {

std::string const readings_sql = R"sql(
SET ROLE shop_owner;
CREATE TYPE shop.region AS ENUM ('north', 'süd''s');
CREATE DOMAIN shop.number AS bigint CHECK (VALUE >= 0);
CREATE DOMAIN shop.tenant AS shop.number;
CREATE DOMAIN shop.label AS varchar(64);
CREATE TABLE shop.readings (id bigint PRIMARY KEY, region shop.region NOT NULL, tenant shop.tenant NOT NULL, label shop.label NOT NULL, amount numeric NOT NULL DEFAULT 0);
INSERT INTO shop.readings SELECT i, CASE i % 2 WHEN 0 THEN 'north' ELSE 'süd''s' END::shop.region, i % 50, 'l' || i % 3 FROM generate_series(1, 2000) i;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.readings TO app;
RESET ROLE;
)sql";

shard_key key_of(std::int64_t id) {
  return shard_key{shard_key{id % 2 == 0 ? "north" : "süd's"}, shard_key{id % 50},
                   shard_key{"l" + std::to_string(id % 3)}};
}

std::string const pinned_rows =
    "region = 'north' AND tenant = 8 AND label = 'l2'";  // of 8, and every 150 more

class key_types : public migration_fixture, public ::testing::WithParamInterface<int> {
 protected:
  void start_with_readings() {
    start(GetParam(), 3);
    run_on(fleet_->source(), readings_sql);
    migration_.shards[2].pinned_only = true;
    migration_.pins = {{{"text", "bigint", "character varying(64)"}, {"north", "8", "l2"}, "shard2"}};
    for (auto const& finding : validate(migration_)) ADD_FAILURE() << finding.to_string();
    std::ofstream(file_) << print(migration_);
    options_.migration = migration_;
    auto readings = table("shop.readings", {"id"});
    readings.group = "metering";
    readings.shard_key = {"region", "tenant", "label"};
    readings.ids_given = true;
    require(apply_manifests(
        options_, {table("shop.orders", {"id"}), table("shop.items", {"order_id", "line"}), readings}));
  }

  void write(client_session& session, std::int64_t id) {
    auto const wrote = session.execute("shop.readings", key_of(id),
                                       "UPDATE shop.readings SET amount = amount + 1 WHERE id = $1::bigint",
                                       {std::to_string(id)});
    EXPECT_TRUE(wrote) << wrote.error().to_string() << wrote.error().server_detail();
  }
  void wave(std::string const& kind) {
    std::string const percent = kind == "wave" ? R"("percent": 100, )" : "";
    done(ask(kind, R"({"group": "metering", )" + percent + R"("approved_by": "test"})"));
  }
};

TEST_P(key_types, move_and_a_pinned_key_lands_on_its_shard) {
  start_with_readings();
  auto const now = value_of(read_newest_generation(*catalog_)).value();
  auto const& table = *now.find_table("shop.readings");
  std::string const slot_sql = slot_expression(table, "");
  EXPECT_EQ(now.shard_of(slot_of(key_of(8))), shard_id{2});
  EXPECT_EQ(on_source("SELECT " + slot_sql + " FROM shop.readings WHERE id = 9"),
            std::to_string(slot_of(key_of(9)).value()));

  controller_process controller(file_);
  done(ask("advance", R"({"group": "metering", "to": "replicating"})"));
  EXPECT_EQ(on_shard(2, "SELECT count(*) FROM shop.readings WHERE " + pinned_rows), "14");
  EXPECT_EQ(on_shard(2, "SELECT count(DISTINCT " + slot_sql + ") FROM shop.readings"), "1")
      << "a pinned_only shard holds the pinned slot";

  done(ask("advance", R"({"group": "metering", "to": "dual_writing"})"));
  auto service = value_of(
      client::open({.source = {.node = "source", .conninfo = address(fleet_->source()) + " user=app"},
                    .application = "key_types"}));
  auto session = service.session();
  for (std::int64_t id = 1; id <= 40; ++id) write(session, id);
  EXPECT_EQ(on_shard(2, "SELECT amount FROM shop.readings WHERE id = 8"), "1");
  done(ask("guard", R"({"group": "metering", "mode": "refusing"})"));
  done(ask("verify", R"({"group": "metering"})"));
  EXPECT_EQ(on_source("SELECT string_agg(DISTINCT c.result, ',') FROM shardway.certificate c WHERE NOT "
                      "EXISTS (SELECT 1 FROM "
                      "shardway.certificate n WHERE n.relation = c.relation AND n.id > c.id)"),
            "equal");

  wave("wave");
  for (std::int64_t id = 1; id <= 40; ++id) write(session, id);
  EXPECT_EQ(on_shard(2, "SELECT amount FROM shop.readings WHERE id = 8"), "2");
  auto const read =
      session.read("shop.readings", key_of(8), "SELECT amount FROM shop.readings WHERE id = 8", {});
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read.value().returned.text(0, 0), "2");
  done(ask("verify", R"({"group": "metering"})"));
  EXPECT_EQ(on_source("SELECT amount FROM shop.readings WHERE id = 8"), "2") << "by the mirror";
  wave("rollback");
  write(session, 8);
  EXPECT_EQ(on_source("SELECT amount FROM shop.readings WHERE id = 8"), "3");
}

TEST_P(key_types, of_a_key_that_changed_its_columns_are_written_as_their_types) {
  start_with_readings();
  controller_process controller(file_);
  done(ask("advance", R"({"group": "metering", "to": "dual_writing"})"));
  // A foreign writer moves a row to another shard key: the trigger records the old slot.
  run_on(fleet_->source(), "UPDATE shop.readings SET tenant = 9, region = 'süd''s' WHERE id = 8");
  run_on(fleet_->source(), "DELETE FROM shop.readings WHERE id = 10");
  done(ask("verify", R"({"group": "metering"})"));
  EXPECT_EQ(on_source("SELECT string_agg(DISTINCT c.result, ',') FROM shardway.certificate c WHERE NOT "
                      "EXISTS (SELECT 1 FROM "
                      "shardway.certificate n WHERE n.relation = c.relation AND n.id > c.id)"),
            "equal");
  EXPECT_EQ(on_shard(2, "SELECT count(*) FROM shop.readings WHERE id = 8"), "0");
}

TEST_P(key_types, a_pin_is_fixed_once_a_group_has_begun) {
  start_with_readings();
  auto const before = newest_generation();
  {
    controller_process controller(file_);
    done(ask("advance", R"({"group": "metering", "to": "replicating"})"));
    controller.stop();
  }
  auto const now = value_of(read_newest_generation(*catalog_)).value();
  EXPECT_GT(now.number, before);
  std::vector<table_manifest> tables;
  for (auto const& held : now.tables) tables.push_back(held.manifest);
  options_.migration.pins[0].shard = "shard1";
  auto const refused = apply_manifests(options_, tables);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::manifest_invalid);
  EXPECT_NE(refused.error().message().find("pin"), std::string::npos);
  EXPECT_EQ(refused.error().message().find("north"), std::string::npos) << "no value of a key in a message";
  options_.migration.pins[0].shard = "shard2";
  options_.migration.shards[1].conninfo += " connect_timeout=9";
  auto const applied = apply_manifests(options_, tables);
  ASSERT_TRUE(applied) << applied.error().to_string();
  EXPECT_GT(applied.value().generation, now.number) << "a conninfo may change";
  auto const after = value_of(read_newest_generation(*catalog_)).value();
  EXPECT_EQ(after.placement, now.placement);
}

std::string json_text(std::string const& text) {
  std::string out = "\"";
  for (char const c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? std::string{"\\n"} : std::string(1, c);
  }
  return out + '"';
}

TEST_P(key_types, a_running_controller_compares_the_migration_too) {
  start_with_readings();
  auto const now = value_of(read_newest_generation(*catalog_)).value();
  std::string documents;
  for (auto const& held : now.tables)
    documents += (documents.empty() ? "" : ", ") + json_text(print(held.manifest));
  auto const apply = [&](migration_manifest const& wanted) {
    return ask("apply",
               R"({"migration": )" + json_text(print(wanted)) + R"(, "documents": [)" + documents + "]}");
  };
  controller_process controller(file_);
  done(ask("advance", R"({"group": "metering", "to": "replicating"})"));
  auto wanted = migration_;
  wanted.pins.clear();
  wanted.shards[2].pinned_only = false;
  auto const refused = apply(wanted);
  EXPECT_EQ(refused.state, request_state::failed);
  EXPECT_EQ(refused.error_code, "manifest_invalid");
  wanted = migration_;
  wanted.shards[1].conninfo += " connect_timeout=9";
  done(apply(wanted));
  auto const after = value_of(read_newest_generation(*catalog_)).value();
  EXPECT_EQ(after.migration.shards[1].conninfo, wanted.shards[1].conninfo);
  EXPECT_EQ(after.placement, now.placement);
}

TEST_P(key_types, columns_that_the_manifest_names_are_there) {
  start(GetParam(), 1);
  auto const refused = [&](auto const& spoil) {
    auto orders = table("shop.orders", {"id"});
    spoil(orders);
    auto const answer = apply_manifests(options_, {orders, table("shop.items", {"order_id", "line"})});
    return !answer && answer.error().message().find("colour") != std::string::npos;
  };
  EXPECT_TRUE(refused([](auto& orders) { orders.classified_columns = {"colour"}; }));
  EXPECT_TRUE(refused([](auto& orders) { orders.lookups = {{"by_colour", {"colour"}, false}}; }));
  run_on(fleet_->source(), "ALTER TABLE shop.orders ADD COLUMN colour numeric NOT NULL DEFAULT 1");
  EXPECT_TRUE(refused([](auto& orders) { orders.shard_key = {"colour"}; })) << "of a type that can be no key";
  EXPECT_FALSE(refused([](auto& orders) { orders.classified_columns = {"details"}; }));
}

INSTANTIATE_TEST_SUITE_P(shards, key_types, ::testing::Values(15, 18),
                         [](auto const& one) { return "of_" + std::to_string(one.param); });

}  // namespace
}  // namespace shardway_test
