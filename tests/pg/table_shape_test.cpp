// One shape while tables move: partitions made, truncated, detached and dropped by the usual jobs, columns
// and publications changed by hand, on a source of 13 and shards of 15.
#include <nlohmann/json.hpp>

#include "migration_fixture.hpp"
#include "stream_fixture.hpp"

namespace shardway_test {
namespace {

using nlohmann::json;

constexpr char const* months_ddl =
    "CREATE TABLE shop.events (id bigint, customer_id bigint NOT NULL, day date NOT NULL, note text, PRIMARY "
    "KEY "
    "(id, day)) PARTITION BY RANGE (day);"
    "CREATE TABLE shop.events_1 PARTITION OF shop.events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');"
    "CREATE TABLE shop.events_2 PARTITION OF shop.events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');";

class shape_of_stream : public stream_fixture {
 protected:
  static table_state events() {
    auto table = table_of("shop.events", {"id", "day"}, {"customer_id"},
                          {{"id", "bigint", false, true},
                           {"customer_id", "bigint", false, true},
                           {"day", "date", false, true},
                           {"note", "text", false, false}});
    table.partitioned = true;
    return table;
  }
};

// The server publishes no TRUNCATE of one partition. What came before it in its transaction is gone, what
// came after it stays, and so do the rows of the other partition.
TEST_F(shape_of_stream, AP5a_truncate_of_one_partition_is_followed) {
  install(months_ddl, {events()},
          "INSERT INTO shop.events SELECT n, n, date '2026-01-01' + (n % 50)::int, 'note' FROM "
          "generate_series(1, 300) AS n");
  run(*source_, leaf_truncate_sql({"shop.events_1", "shop.events_2"}, true));
  start({.batch_wait = 200ms});
  copy();
  run(*source_,
      "BEGIN; INSERT INTO shop.events VALUES (900, 900, '2026-01-05', 'gone'), (901, 901, '2026-02-05', "
      "'stays'); "
      "TRUNCATE shop.events_1; INSERT INTO shop.events SELECT n, n, '2026-01-07', 'after' FROM "
      "generate_series(1000, 1010) AS n; COMMIT; UPDATE shop.events SET note = 'last' WHERE id = 1005");
  catch_up();
  auto const columns = "id, customer_id, day, note";
  EXPECT_EQ(digest_on_shards("shop.events", columns), digest("shop.events", columns));
  EXPECT_EQ(one(*source_, "SELECT count(*) FROM shop.events_1"), "11");
  run(*source_, "TRUNCATE shop.events_2");
  run(*source_,
      "BEGIN; TRUNCATE shop.events_1; INSERT INTO shop.events_1 VALUES (7, 7, '2026-01-09', 'x'); ROLLBACK");
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.events", columns), digest("shop.events", columns));
}

// AS12: a range goes from row to row within one transaction, so that only the order of the changes fits.
TEST_F(shape_of_stream, AS12_exclusion_constraint_whose_values_are_swapped_is_carried) {
  install(
      "CREATE TABLE shop.stays (id bigint PRIMARY KEY, room bigint NOT NULL, span int4range, EXCLUDE USING "
      "gist "
      "(span WITH &&))",
      {table_of("shop.stays", {"id"}, {"room"},
                {{"id", "bigint", false, true},
                 {"room", "bigint", false, true},
                 {"span", "int4range", false, false}})},
      "INSERT INTO shop.stays SELECT n, 7, int4range(n * 10, n * 10 + 5) FROM generate_series(1, 5) AS n");
  start({.batch_wait = 200ms});
  copy();
  for (int i = 0; i < 3; ++i)
    run(*source_,
        "BEGIN; UPDATE shop.stays SET span = '[900,905)' WHERE id = 1; UPDATE shop.stays SET span = "
        "'[10,15)' WHERE "
        "id = 2; UPDATE shop.stays SET span = '[20,25)' WHERE id = 1; COMMIT;"
        "BEGIN; UPDATE shop.stays SET span = '[900,905)' WHERE id = 1; UPDATE shop.stays SET span = "
        "'[20,25)' WHERE "
        "id = 2; UPDATE shop.stays SET span = '[10,15)' WHERE id = 1; COMMIT");
  run(*source_, "DELETE FROM shop.stays WHERE id = 3; INSERT INTO shop.stays VALUES (30, 7, '[31,34)')");
  catch_up();
  EXPECT_EQ(digest_on_shards("shop.stays", "id, room, span"), digest("shop.stays", "id, room, span"));
}

TEST_F(shape_of_stream, AS4_key_that_is_stored_out_of_line_is_carried) {
  install(
      "CREATE TABLE shop.docs (name text PRIMARY KEY, customer_id bigint NOT NULL, total int); ALTER TABLE "
      "shop.docs ALTER COLUMN name SET STORAGE EXTERNAL",
      {table_of("shop.docs", {"name"}, {"customer_id"},
                {{"name", "text", false, true},
                 {"customer_id", "bigint", false, true},
                 {"total", "integer", false, false}})},
      "INSERT INTO shop.docs SELECT (SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 80) "
      "AS i), "
      "n, 0 FROM generate_series(1, 20) AS n");
  start();
  copy();
  run(*source_,
      "UPDATE shop.docs SET total = total + 1; UPDATE shop.docs SET total = total + 1 WHERE customer_id < 5");
  run(*source_,
      "DELETE FROM shop.docs WHERE customer_id = 9; UPDATE shop.docs SET name = name || 'x' WHERE "
      "customer_id = 3");
  catch_up();
  EXPECT_TRUE(engine_->paused_groups().empty());
  EXPECT_EQ(digest_on_shards("shop.docs", "name, customer_id, total"),
            digest("shop.docs", "name, customer_id, total"));
}

std::string const tables_sql = std::string(R"sql(
CREATE ROLE shop_owner; CREATE ROLE app LOGIN;
CREATE SCHEMA shop AUTHORIZATION shop_owner; SET ROLE shop_owner;
)sql") + months_ddl + R"sql(
CREATE TABLE shop.prices (id bigint PRIMARY KEY, customer_id bigint NOT NULL, amount int);
CREATE TABLE shop.notes (id bigint PRIMARY KEY, customer_id bigint NOT NULL, note text);
INSERT INTO shop.events SELECT n, n % 50, date '2026-01-01' + (n % 50)::int, 'note' FROM generate_series(1, 300) n;
INSERT INTO shop.prices SELECT n, n % 50, n FROM generate_series(1, 200) n;
INSERT INTO shop.notes SELECT n, n % 50, 'note' FROM generate_series(1, 200) n;
GRANT USAGE ON SCHEMA shop TO app; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO app;
RESET ROLE;
)sql";

class shape_watch : public migration_fixture {
 protected:
  static table_manifest table_in(std::string group, std::string name, std::vector<std::string> key) {
    table_manifest out;
    out.table = std::move(name);
    out.group = std::move(group);
    out.shard_key = {"customer_id"};
    out.key = std::move(key);
    out.ids_given = true;  // the test gives each id out once
    return out;
  }
  static std::vector<table_manifest> manifests() {
    auto events = table_in("events", "shop.events", {"id", "day"});
    events.accept = {{"key_uniqueness", "shop.events", "the test gives each id out once"}};
    return {events, table_in("prices", "shop.prices", {"id"}), table_in("notes", "shop.notes", {"id"})};
  }

  void start_tables() {
    fleet_ = value_of(shardway::testing::cluster::start(
        {.source_major = 13, .shard_major = 15, .shards = 2, .fast = true}));
    migration_.name = "shop";
    migration_.source = {.name = "source", .conninfo = address(fleet_->source()), .replicas = {}};
    for (std::size_t i = 0; i < 2; ++i)
      migration_.shards.push_back(
          {.name = "shard" + std::to_string(i), .conninfo = address(fleet_->shard(i)), .replicas = {}});
    migration_.application_role = "app";
    migration_.engine_role = "engine";
    migration_.mirror_role = "mirror";
    run_on(fleet_->source(), tables_sql);
    for (auto* node : fleet_->all()) {
      bool const is_source = node == &fleet_->source();
      run_on(*node, roles_sql(migration_, {.role = is_source ? node_role::source : node_role::shard,
                                           .server_version = is_source ? 130000 : 150000,
                                           .database = "postgres",
                                           .owners = {"shop_owner"}}));
    }
    file_ = (fleet_->folder() / "migration.txtpb").string();
    std::ofstream(file_) << print(migration_);
    options_.migration = migration_;
    options_.holder = "test";
    require(apply_manifests(options_, manifests()));
    catalog_ = open(fleet_->source(), "engine");
  }

  void source(std::string const& sql) { run_on(fleet_->source(), "SET ROLE shop_owner; " + sql); }
  void shard(std::size_t number, std::string const& sql) { run_on(fleet_->shard(number), sql); }

  template <class Condition>
  void soon(char const* what, Condition condition) {
    auto const deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "not in time: " << what << ' ' << status().dump(1);
        throw std::runtime_error(what);
      }
      std::this_thread::sleep_for(50ms);
    }
  }

  json status() {
    return json::parse(on_source("SELECT document::text FROM shardway.status WHERE name = 'controller'"));
  }
  json group(std::string const& name) {
    auto const document = status();
    for (auto const& one : document.at("groups"))
      if (one.at("group") == name) return one;
    return json::object();
  }
  bool is_paused(std::string const& name) { return group(name).value("paused", false); }
  bool names(std::string const& name, std::string const& text) {
    return group(name).value("differences", json::array()).dump().find(text) != std::string::npos;
  }
  json gate_of(std::string const& group_name, std::string const& gate) {
    auto const answer = ask("gates", json{{"group", group_name}}.dump());
    json const gates = json::parse(answer.result).at("gates");
    for (auto const& one : gates)
      if (one.at("name") == gate) return one;
    return json{{"green", false}, {"detail", "there is no gate " + gate}};
  }
  void advance(std::string const& name, std::string const& to) {
    done(ask("advance", json{{"group", name}, {"to", to}}.dump()));
  }
  void expect_refused(std::string const& name, std::string const& text) {
    auto const answer = ask("advance", json{{"group", name}, {"to", "copying"}}.dump());
    EXPECT_EQ(answer.state, request_state::failed);
    EXPECT_EQ(answer.error_code, "schema_drift");
    EXPECT_NE(answer.error_message.find(text), std::string::npos) << answer.error_message;
  }
  std::string on_shards(std::string const& sql) {
    return std::to_string(std::stoll(on_shard(0, sql)) + std::stoll(on_shard(1, sql)));
  }
};

TEST_F(shape_watch, drift_is_refused_before_anything_is_touched) {
  start_tables();
  controller_process controller(file_);
  source("ALTER TABLE shop.prices ADD COLUMN extra int DEFAULT 5");
  expect_refused("prices", "column extra is on the source and not in the generation");  // AS19
  EXPECT_EQ(on_shard(0, "SELECT to_regclass('shop.prices') IS NULL"), "t");
  json documents = json::array();
  for (auto const& manifest : manifests()) documents.push_back(print(manifest));
  done(ask("apply", json{{"documents", documents}}.dump()));
  advance("prices", "copying");
  soon("the copy has the new column's values",
       [&] { return on_shards("SELECT coalesce(sum(extra), 0) FROM shop.prices") == "1000"; });

  source("ALTER TABLE shop.notes REPLICA IDENTITY NOTHING");
  expect_refused("notes", "replica identity is NOTHING");  // AS2
  source("ALTER TABLE shop.notes REPLICA IDENTITY FULL; ALTER TABLE shop.notes SET UNLOGGED");
  expect_refused("notes", "unlogged");  // AS20
  source("ALTER TABLE shop.notes SET LOGGED; ALTER TABLE shop.events_2 SET UNLOGGED");
  expect_refused("events", "storage of shop.events_2 is unlogged");
  advance("notes", "replicating");  // FULL is carried
  source("UPDATE shop.notes SET note = 'new' WHERE id = 7; DELETE FROM shop.notes WHERE id = 8");
  soon("a full replica identity is carried", [&] {
    return on_shards("SELECT count(*) FROM shop.notes WHERE id = 8 OR (id = 7 AND note = 'note')") == "0";
  });
}

class shape_watch_steps : public shape_watch {
 protected:
  void expect_new_column_pauses_its_group() {
    // AF11: a column and a row with it. Its group is paused, the streams of the others go on.
    source("ALTER TABLE shop.notes ADD COLUMN extra int; INSERT INTO shop.notes VALUES (900, 9, 'new', 1)");
    soon("the group is paused", [&] { return is_paused("notes") && names("notes", "lets the changes"); });
    EXPECT_FALSE(is_paused("events"));
    source("ALTER TABLE shop.notes DROP COLUMN extra");
  }
  void expect_partitions_are_followed() {
    // AS13: the insert is there before the partition is on the shards.
    source(
        "CREATE TABLE shop.events_3 PARTITION OF shop.events FOR VALUES FROM ('2026-03-01') TO "
        "('2026-04-01');"
        "INSERT INTO shop.events SELECT n, n % 50, '2026-03-05', 'march' FROM generate_series(1000, 1039) n");
    soon("the new partition is followed", [&] {
      return on_shard(0, "SELECT to_regclass('shop.events_3') IS NOT NULL") == "t" &&
             on_shard(1, "SELECT to_regclass('shop.events_3') IS NOT NULL") == "t" &&
             on_shards("SELECT count(*) FROM shop.events WHERE note = 'march'") == "40";
    });
    soon("ours is on it", [&] {
      return on_source(
                 "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'shop.events_3'::regclass AND tgname IN "
                 "('shardway_guard', 'shardway_capture', 'shardway_leaf_truncate') AND tgenabled = 'A'") ==
             "3";
    });
    EXPECT_EQ(on_shard(0, "SELECT relreplident FROM pg_class WHERE oid = 'shop.events_3'::regclass"), "i");
    EXPECT_EQ(on_shard(0, "SELECT relowner::regrole FROM pg_class WHERE oid = 'shop.events_3'::regclass"),
              "shop_owner");

    source("TRUNCATE shop.events_1");  // AP5a
    soon("the truncate is followed", [&] { return on_shards("SELECT count(*) FROM shop.events_1") == "0"; });
  }
  void prove() {
    for (auto const& name : {"events", "prices"}) {
      done(ask("guard", json{{"group", name}, {"mode", "refusing"}}.dump()));
      done(ask("verify", json{{"group", name}}.dump()));
    }
    EXPECT_TRUE(gate_of("events", "schema").at("green")) << gate_of("events", "schema").dump();
    EXPECT_TRUE(gate_of("events", "partitions").at("green"));
  }
  void expect_detached_partition_is_named() {
    // AP5b: the retention job. Nothing of it is silent, and the other group's wave goes on.
    source("ALTER TABLE shop.events DETACH PARTITION shop.events_2");
    EXPECT_FALSE(gate_of("events", "schema").at("green"));
    EXPECT_NE(gate_of("events", "schema").at("detail").dump().find("events_2"), std::string::npos);
    soon("status names it", [&] { return is_paused("events") && names("events", "shop.events_2"); });
    auto const wave = ask("wave", R"({"group": "events", "percent": 100, "approved_by": "test"})");
    EXPECT_EQ(wave.error_code, "gate_red");
    auto const verified = json::parse(ask("verify", R"({"group": "events"})").result);
    EXPECT_FALSE(verified.at("equal"));
    EXPECT_EQ(verified.at("tables").at(0).at("verdict"), "could_not_tell");
    EXPECT_NE(verified.at("shape_differs").dump().find("shop.events_2"), std::string::npos);
    done(ask("wave", R"({"group": "prices", "percent": 100, "approved_by": "test"})"));

    source(
        "ALTER TABLE shop.events ATTACH PARTITION shop.events_2 FOR VALUES FROM ('2026-02-01') TO "
        "('2026-03-01')");
    soon("both sides agree again", [&] { return !is_paused("events"); });
    EXPECT_FALSE(gate_of("events", "certificates").at("green")) << "the verification could not tell";
    done(ask("verify", R"({"group": "events"})"));
    EXPECT_TRUE(gate_of("events", "partitions").at("green"));
    source(
        "ALTER TABLE shop.events DETACH PARTITION shop.events_2; ALTER TABLE shop.events ATTACH PARTITION "
        "shop.events_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')");
    EXPECT_FALSE(gate_of("events", "partitions").at("green")) << "attached again: its rows may be others";
    done(ask("verify", R"({"group": "events"})"));
  }
  void expect_publication_is_watched() {
    // AF7: the publication, by hand.
    run_on(fleet_->source(), "ALTER PUBLICATION shardway_shop DROP TABLE shop.events");
    EXPECT_FALSE(gate_of("events", "publication").at("green"));
    soon("status names the publication",
         [&] { return is_paused("events") && names("events", "publication"); });
    run_on(fleet_->source(),
           "ALTER PUBLICATION shardway_shop ADD TABLE shop.events; ALTER PUBLICATION shardway_shop "
           "SET (publish = 'insert')");
    EXPECT_NE(gate_of("events", "publication").at("detail").dump().find("UPDATE"), std::string::npos);
    run_on(fleet_->source(),
           "ALTER PUBLICATION shardway_shop SET (publish = 'insert, update, delete, truncate')");
    soon("the publication is whole again", [&] { return !is_paused("events"); });
  }
  void expect_name_is_watched() {
    // AF17: another table under the name.
    source("ALTER TABLE shop.events RENAME TO events_old");
    soon("a renamed table is named",
         [&] { return is_paused("events") && names("events", "is missing on the source"); });
    source("ALTER TABLE shop.events_old RENAME TO events");
    soon("its name is back", [&] { return !is_paused("events"); });
  }
};

TEST_F(shape_watch_steps, partitions_are_followed_and_drift_pauses_its_group_alone) {
  start_tables();
  controller_process controller(file_);
  for (auto const& name : {"events", "prices"}) advance(name, "dual_writing");
  advance("notes", "replicating");

  expect_new_column_pauses_its_group();
  expect_partitions_are_followed();
  prove();
  expect_detached_partition_is_named();
  expect_publication_is_watched();
  expect_name_is_watched();
}

TEST_F(shape_watch, AP5c_partition_made_while_sharded_is_mirrored) {
  start_tables();
  controller_process controller(file_);
  advance("events", "dual_writing");
  done(ask("guard", R"({"group": "events", "mode": "refusing"})"));
  done(ask("verify", R"({"group": "events"})"));
  done(ask("wave", R"({"group": "events", "percent": 100, "approved_by": "test"})"));
  auto service = value_of(
      client::open({.source = {.node = "source", .conninfo = address(fleet_->source()) + " user=app"},
                    .application = "test"}));
  auto session = service.session();
  auto const write = [&](std::int64_t customer, std::string const& sql) {
    return session.execute("shop.events", shard_key(customer), sql, {std::to_string(customer)});
  };
  auto const april = "PARTITION OF shop.events FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')";

  // On the shards first: the mirror waits for the source's partition, and goes on by itself.
  for (std::size_t i = 0; i < 2; ++i)
    shard(i, std::string("SET ROLE shop_owner; CREATE TABLE shop.events_4 ") + april);
  for (std::int64_t customer = 1; customer <= 20; ++customer)
    require(write(customer,
                  "INSERT INTO shop.events VALUES (2000 + $1::bigint, $1::bigint, '2026-04-09', 'april')"));
  for (std::int64_t customer = 1; customer <= 10; ++customer)
    require(
        write(customer, "DELETE FROM shop.events WHERE id = 2000 + $1::bigint AND customer_id = $1::bigint"));
  soon("the partition that only shards have is named",
       [&] { return is_paused("events") && names("events", "shop.events_4"); });
  source(std::string("CREATE TABLE shop.events_4 ") + april);
  soon("the mirror goes on",
       [&] { return on_source("SELECT count(*) FROM shop.events WHERE note = 'april'") == "10"; });
  soon("identity and guards are there", [&] {
    return on_shard(0, "SELECT relreplident FROM pg_class WHERE oid = 'shop.events_4'::regclass") == "i" &&
           !is_paused("events");
  });
  for (std::int64_t customer = 11; customer <= 20; ++customer)
    require(
        write(customer, "DELETE FROM shop.events WHERE id = 2000 + $1::bigint AND customer_id = $1::bigint"));
  soon("deletes are mirrored",
       [&] { return on_source("SELECT count(*) FROM shop.events WHERE note = 'april'") == "0"; });
  for (auto const& mirror : status().at("mirrors"))
    EXPECT_TRUE(mirror.at("failure").is_null()) << mirror.dump();
  done(ask("rollback", R"({"group": "events", "approved_by": "test"})"));
}

}  // namespace
}  // namespace shardway_test
