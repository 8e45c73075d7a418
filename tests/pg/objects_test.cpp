// The doctor's rules for objects on real servers: a schema that holds one of each kind, and the demo's, which
// holds none. The source is older than the shard.
#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/migrate/preflight/object_checks.hpp"
#include "pg/fix_texts.hpp"
#include "shardway/migrate/preflight/preflight.hpp"
#include "shardway/migrate/preflight/roles.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/testing/cluster.hpp"
#include "support/must.hpp"

namespace shardway {
namespace {

constexpr char const* rich_schema = R"sql(
SET client_min_messages = error;
CREATE SCHEMA shop; CREATE SCHEMA util; CREATE SCHEMA audit; CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION btree_gist SCHEMA ext;
CREATE EXTENSION pg_trgm SCHEMA ext;
CREATE EXTENSION lo SCHEMA ext;
CREATE EXTENSION unaccent SCHEMA ext;
CREATE TYPE util.mood AS ENUM ('calm', 'cross');
CREATE TYPE util.inner_point AS (x int, owner regrole);
CREATE DOMAIN shop.price AS numeric CHECK (VALUE >= 0);
CREATE FUNCTION util.is_code(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 ~ ''^[a-z]+$''';
CREATE DOMAIN shop.code AS text CHECK (util.is_code(VALUE));
CREATE FUNCTION util.next_code() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT max(note) FROM settings); END';
CREATE TABLE shop.settings (note text);
CREATE FUNCTION shop.rank(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT count(*) FROM shop.settings); END';
CREATE COLLATION util.german (provider = icu, locale = 'de-u-co-phonebk');
CREATE FUNCTION util.eq(int, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1::text = $2';
CREATE OPERATOR util.=== (LEFTARG = int, RIGHTARG = text, PROCEDURE = util.eq);
CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL,
  mail public.citext, attributes ext.hstore, mood util.mood, moods util.mood[], spot util.inner_point,
  picture ext.lo, kind regclass, changed xid, amount shop.price, code shop.code DEFAULT util.next_code(),
  name text COLLATE util.german, made bigint DEFAULT txid_current(), place int4range, note text,
  ranked int GENERATED ALWAYS AS (shop.rank('x')) STORED,
  CONSTRAINT three CHECK (customer_id::int OPERATOR(util.===) note), 
  EXCLUDE USING gist (customer_id ext.gist_int8_ops WITH =, place WITH &&));
CREATE INDEX orders_trgm ON shop.orders USING gin (note ext.gin_trgm_ops);
ALTER TABLE shop.orders ADD CONSTRAINT later CHECK (note <> 'x') NOT VALID;
CREATE RULE also AS ON INSERT TO shop.orders DO ALSO INSERT INTO shop.settings VALUES ('x');
CREATE POLICY mine ON shop.orders USING (true);
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
CREATE STATISTICS shop.stats ON id, note FROM shop.orders;
CREATE FUNCTION shop.empty(shop.settings DEFAULT NULL) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
ALTER TABLE shop.orders ADD COLUMN extra text DEFAULT shop.empty();
CREATE EXTENSION file_fdw SCHEMA ext;
CREATE SERVER shop_files FOREIGN DATA WRAPPER file_fdw;
CREATE TABLE shop.archive (id bigint, customer_id bigint NOT NULL) PARTITION BY LIST (id);
CREATE FOREIGN TABLE shop.old PARTITION OF shop.archive FOR VALUES IN (1) SERVER shop_files OPTIONS (filename '/dev/null');
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO PUBLIC;
CREATE TEXT SEARCH DICTIONARY shop.stem (TEMPLATE = pg_catalog.simple, STOPWORDS = english);
CREATE TABLE audit.log (what text);
CREATE FUNCTION audit.record() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO audit.log VALUES ('x'); NOTIFY changed; RETURN NEW; END$$;
CREATE TRIGGER audited AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION audit.record();
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.customer_id := 1; EXECUTE 'SELECT 1'; RETURN NEW; END$$;
CREATE TRIGGER touched BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE FUNCTION shop.nothing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER always AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.nothing();
ALTER TABLE shop.orders ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER lo_kept BEFORE UPDATE OR DELETE ON shop.orders FOR EACH ROW EXECUTE FUNCTION ext.lo_manage('picture');
CREATE VIEW shop.recent AS SELECT id FROM shop.orders; CREATE MATERIALIZED VIEW audit.sums AS SELECT count(*) FROM shop.recent;
CREATE CAST (util.mood AS int) WITH INOUT; 
CREATE CAST (point AS date) WITH INOUT AS IMPLICIT;
DO $$ BEGIN CREATE ROLE reporter; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT SELECT ON shop.orders TO reporter; GRANT UPDATE (note) ON shop.orders TO reporter;
CREATE TABLE shop.parted (id bigint, customer_id bigint NOT NULL, name text, PRIMARY KEY (id, name)) PARTITION BY RANGE (name);
CREATE TABLE shop."parted.a" PARTITION OF shop.parted FOR VALUES FROM ('a') TO ('m');
ALTER TABLE shop.parted ADD COLUMN words tsvector GENERATED ALWAYS AS (to_tsvector('english', name)) STORED;
CREATE FUNCTION audit.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$; CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION audit.on_ddl();
GRANT USAGE ON SCHEMA shop, util, audit, ext TO engine;
)sql";

/// One source of 13 and one shard of 15 for all tests; a database for each.
class objects : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ =
        must(testing::cluster::start({.source_major = 13, .shard_major = 15, .shards = 1, .fast = true}));
    for (auto* node : fleet_->all()) must(node->query("CREATE ROLE shop_owner; CREATE ROLE app LOGIN"));
  }
  static void TearDownTestSuite() { fleet_.reset(); }

  void SetUp() override {
    database_ = "objects_" + std::to_string(++count_);
    for (auto* node : fleet_->all()) {
      must(node->query("CREATE DATABASE " + database_));
      run(*node, roles_sql(migration(), {.role = node == &source() ? node_role::source : node_role::shard,
                                         .server_version = node->major() * 10000,
                                         .database = database_,
                                         .owners = {"shop_owner"}}));
    }
    run(source(), "GRANT CREATE ON DATABASE " + database_ + " TO shop_owner");
  }
  void TearDown() override {
    for (auto* node : fleet_->all()) must(node->query("DROP DATABASE " + database_ + " WITH (FORCE)"));
  }

  static testing::server& source() { return fleet_->source(); }
  static testing::server& shard() { return fleet_->shard(0); }
  void run(testing::server& node, std::string const& sql) { must(node.query(sql, database_)); }

  migration_manifest migration() const {
    migration_manifest out;
    out.name = "shop";
    out.source = {"source", source().conninfo(database_, "engine"), {}};
    out.shards = {{"shard1", shard().conninfo(database_, "engine"), {}}};
    out.application_role = "app";
    out.engine_role = "engine";
    out.mirror_role = "mirror";
    return out;
  }
  static table_manifest table(std::string const& name, std::vector<std::string> key = {"id"}) {
    return {.table = name, .group = "orders", .shard_key = {"customer_id"}, .key = std::move(key)};
  }

  // The findings of these rules that are no pass, as "fail rule [source] also on shop.orders".
  std::set<std::string> troubles(std::vector<table_manifest> const& tables) {
    options_.connect = [](node_definition const& node) {
      return connect({.node = node.name, .conninfo = node.conninfo});
    };
    findings_ = must(run_preflight(migration(), tables, options_));
    for (auto* node : fleet_->all()) {
      auto const admin = must(connect({.node = "admin", .conninfo = node->conninfo(database_)}));
      shardway_test::expect_fixes_parse(findings_, node == &source() ? "source" : "shard1", *admin);
    }
    std::set<std::string> ids, out;
    for (auto const& rule : migrate::preflight::object_rules()) ids.insert(std::string(rule.id));
    ids.insert("objects");
    for (auto const& one : findings_)
      if (one.level != finding_level::pass && ids.count(one.id) > 0)
        out.insert(std::string(name(one.level)) + ' ' + one.id + " [" + one.node + "] " + one.subject);
    return out;
  }
  std::string listing() const {
    std::string out;
    for (auto const& one : findings_)
      if (one.level != finding_level::pass)
        out += std::string(name(one.level)) + ' ' + one.id + " [" + one.node + "] " + one.subject + ": " +
               one.what + " -> " + one.fix + '\n';
    return out;
  }
  void expect(std::set<std::string> const& found, std::vector<std::string> const& wanted) const {
    for (auto const& one : wanted) EXPECT_EQ(found.count(one), 1u) << one << " is not in\n" << listing();
  }

  static std::unique_ptr<testing::cluster> fleet_;
  static int count_;
  std::string database_;
  preflight_options options_;
  std::vector<finding> findings_;
};
std::unique_ptr<testing::cluster> objects::fleet_;
int objects::count_ = 0;

std::string text_of_file(std::string const& path) {
  std::ifstream file(path);
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

TEST_F(objects, a_plain_schema_has_none) {
  for (auto* node : fleet_->all())
    run(*node, "DO $$ BEGIN CREATE ROLE shop_app; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
  auto const schema = text_of_file(DEMO_SCHEMA);
  ASSERT_NE(schema, "");
  run(source(), "GRANT shop_app TO app; " + schema);
  run(source(),
      "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO app; REVOKE ALL ON ALL "
      "TABLES IN SCHEMA shop FROM shop_app; REVOKE ALL ON SCHEMA shop FROM shop_app");
  std::vector<table_manifest> tables;
  for (auto const* name :
       {"customers", "customer_addresses", "orders", "order_items", "payments", "order_documents",
        "outbox_events", "inventory", "stock_movements", "reservations", "currencies"})
    tables.push_back(table(std::string("shop.") + name));
  EXPECT_EQ(troubles(tables), std::set<std::string>{}) << listing();
}

TEST_F(objects,
       one_of_each_kind_is_found_by_id_and_subject) {  // AS3, AS6, AS7, AS8, AS16, AS23, AS24, AC9
  run(source(), rich_schema);
  run(source(), "ALTER DATABASE " + database_ +
                    " SET search_path = shop, public; ALTER ROLE app IN DATABASE " + database_ +
                    " SET statement_timeout = '30s'; ALTER DATABASE " + database_ +
                    " SET app.secret = 'hunter2'");
  run(shard(),
      "CREATE EXTENSION citext; CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA public; CREATE SCHEMA shop;"
      "CREATE FUNCTION shop.rank(text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'");
  auto const found =
      troubles({table("shop.orders"), table("shop.parted", {"id", "name"}), table("shop.archive")});
  expect(found, {"fail row_security [source] shop.orders",
                 "fail rule [source] also on shop.orders",
                 "warn statistics [source] shop.stats",
                 "fail name_with_dot [source] shop.parted.a",
                 "fail node_local_type [source] shop.orders.kind",
                 "fail node_local_type [source] shop.orders.changed",
                 "fail node_local_type [source] shop.orders.spot",
                 "warn node_local_value [source] shop.orders.made",
                 "fail large_object [source] shop.orders.picture",
                 "fail large_object [source] lo_kept on shop.orders",
                 "fail trigger_replica [source] always on shop.orders",
                 "fail trigger_relation [source] audited on shop.orders",
                 "warn trigger_notify [source] audited on shop.orders",
                 "fail trigger_unknown [source] touched on shop.orders",
                 "warn trigger_changes_key [source] touched on shop.orders",
                 "fail function_relation [source] shop.rank(pg_catalog.text)",
                 "fail function_relation [source] util.next_code()",
                 "warn function_search_path [source] util.next_code()",
                 "warn other_grants [shard1] reporter: SELECT, UPDATE (note)",
                 "warn event_trigger [source] watch",
                 "fail extension [shard1] hstore",
                 "fail extension [shard1] btree_gist",
                 "fail extension [shard1] pg_trgm",
                 "fail extension [shard1] lo",
                 "warn extension [shard1] unaccent",
                 "fail relation_missing [shard1] shop.settings",
                 "fail object_missing [shard1] shop_files",
                 "fail foreign_table [source] shop.old",
                 "warn default_privileges [source] postgres in shop",
                 "warn text_search_file [source] shop.stem",
                 "fail extension [shard1] file_fdw",
                 "fail object_differs [shard1] shop.rank(pg_catalog.text)",
                 "fail owner_on_shard [shard1] postgres",
                 "fail schema_rights [shard1] shop: engine",
                 "warn view_missing [shard1] shop.recent",
                 "warn view_missing [shard1] audit.sums",
                 "fail cast_missing [shard1] (pg_catalog.point AS pg_catalog.date)",
                 "warn cast_missing [shard1] (util.mood AS integer)",
                 "fail setting [shard1] search_path",
                 "warn setting [shard1] statement_timeout",
                 "fail setting [shard1] app.secret"});
  EXPECT_EQ(found.count("fail extension [shard1] citext"), 0u) << listing();
  EXPECT_EQ(listing().find("hunter2"), std::string::npos);
}

TEST_F(objects, ways_out_that_are_sql_run) {
  run(source(), rich_schema);
  auto const tables =
      std::vector{table("shop.orders"), table("shop.parted", {"id", "name"}), table("shop.archive")};
  troubles(tables);
  std::set<std::string> const mended{"rule", "name_with_dot", "node_local_type", "trigger_replica",
                                     "event_trigger"};
  std::set<std::string> const told{"statistics", "view_missing"};
  for (auto const& one : findings_) {
    bool const secured = one.id == "row_security" && one.level == finding_level::fail;
    if (one.level == finding_level::pass || (!secured && mended.count(one.id) + told.count(one.id) == 0))
      continue;
    std::istringstream lines(one.fix);
    int statements = 0;
    for (std::string line; std::getline(lines, line);) {
      if (!line.ends_with(';')) continue;
      ++statements;
      EXPECT_TRUE(source().query(shardway_test::sql_of(line), database_)) << one.id << ": " << line;
    }
    EXPECT_EQ(statements, 1) << one.id << ": " << one.fix;
  }
  troubles(tables);
  for (auto const& one : findings_) {
    EXPECT_FALSE(one.id == "row_security" && one.level == finding_level::fail) << one.what;
    EXPECT_FALSE(one.level != finding_level::pass && mended.count(one.id) > 0)
        << one.id << ' ' << one.subject;
  }
}

TEST_F(objects, extensions_made_as_told_pass) {  // AS3, AS16
  run(source(),
      "SET client_min_messages = error; CREATE SCHEMA ext; CREATE EXTENSION citext; CREATE EXTENSION hstore "
      "SCHEMA ext;"
      "CREATE TABLE public.mails (id bigint PRIMARY KEY, customer_id bigint NOT NULL, mail citext, more "
      "ext.hstore);"
      "ALTER TABLE public.mails OWNER TO shop_owner; CREATE UNIQUE INDEX ON public.mails (customer_id, "
      "mail)");
  auto const tables = std::vector{table("public.mails")};
  expect(troubles(tables), {"fail extension [shard1] citext", "fail extension [shard1] hstore"});
  for (auto const& one : findings_)
    if (one.level == finding_level::fail && one.id == "extension" &&
        one.what.find("version and schema") == std::string::npos &&
        one.fix.find("SCHEMA") != std::string::npos)
      run(shard(), one.fix);
  EXPECT_EQ(troubles(tables), std::set<std::string>{}) << listing();
}

TEST_F(objects, a_filter_looks_at_some_tables_and_knows_which_others_move) {
  run(source(),
      "SET client_min_messages = error; CREATE SCHEMA shop AUTHORIZATION shop_owner; CREATE SCHEMA ext;"
      "CREATE EXTENSION hstore SCHEMA ext; CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id "
      "bigint "
      "NOT NULL); CREATE TABLE shop.log (id bigint PRIMARY KEY, customer_id bigint NOT NULL, more "
      "ext.hstore);"
      "CREATE FUNCTION shop.record() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO shop.log VALUES "
      "(NEW.id, NEW.customer_id); RETURN NEW; END$$; CREATE TRIGGER recorded AFTER INSERT ON shop.orders FOR "
      "EACH ROW EXECUTE FUNCTION shop.record(); CREATE RULE also AS ON DELETE TO shop.log DO ALSO NOTIFY "
      "gone;"
      "ALTER TABLE shop.orders OWNER TO shop_owner; ALTER TABLE shop.log OWNER TO shop_owner; ALTER FUNCTION "
      "shop.record() OWNER TO shop_owner; GRANT USAGE ON SCHEMA shop TO engine");
  auto tables = std::vector{table("shop.orders"), table("shop.log")};
  tables[1].group = "logs";
  options_.groups = {"orders"};
  EXPECT_EQ(troubles(tables), (std::set<std::string>{"warn extension [shard1] hstore"})) << listing();
  options_.groups = {"logs"};
  EXPECT_EQ(troubles(tables),
            (std::set<std::string>{"fail rule [source] also on shop.log", "fail extension [shard1] hstore"}))
      << listing();
  tables.pop_back();
  options_.groups = {"orders"};
  EXPECT_EQ(troubles(tables).count("fail trigger_relation [source] recorded on shop.orders"), 1u)
      << listing();
}

}  // namespace
}  // namespace shardway
