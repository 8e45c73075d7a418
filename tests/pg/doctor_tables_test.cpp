// What the doctor finds about tables: keys, identities, partitions, indexes. Each bad shape is made on a real
// server, and every way out that is printed parses.
#include <cstdlib>
#include <iostream>

#include "pg/doctor_fixture.hpp"

namespace shardway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(doctor_tables, a_deferrable_key_would_make_production_fail) {  // AS1
  make(
      "CREATE TABLE late (id bigint PRIMARY KEY DEFERRABLE, customer_id bigint NOT NULL, note text);"
      "CREATE TABLE good (id bigint PRIMARY KEY, customer_id bigint NOT NULL, place int, UNIQUE "
      "(customer_id, place)"
      " DEFERRABLE INITIALLY DEFERRED);"
      "INSERT INTO late VALUES (1, 1); CREATE PUBLICATION proof FOR TABLE late");
  auto const refused = fleet_->source().query("UPDATE shop.late SET note = 'x'", database_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().sqlstate(), "55000");  // what is foretold
  auto const list = check({table("late"), table("good")});
  expect_fail(list, "key_index", "late_pkey is DEFERRABLE");
  expect_fail(list, "replica_identity", "shop.late: PostgreSQL finds no usable");
  expect_fail(list, "unique_index_state", "good_customer_id_place_key: it is DEFERRABLE");
  expect_pass(list, "key_index", "shop.good");
  EXPECT_GE(fixes_, 3);
}

TEST_F(doctor_tables, the_identity_of_the_table_and_of_each_partition_names_the_key) {  // AS2
  make(
      "CREATE TABLE parted (id bigint, customer_id bigint NOT NULL, other int NOT NULL, PRIMARY KEY (id)) "
      "PARTITION BY"
      " HASH (id); CREATE TABLE p0 PARTITION OF parted FOR VALUES WITH (MODULUS 4, REMAINDER 0);"
      "CREATE TABLE p1 PARTITION OF parted FOR VALUES WITH (MODULUS 4, REMAINDER 1);"
      "CREATE TABLE p2 PARTITION OF parted FOR VALUES WITH (MODULUS 4, REMAINDER 2);"
      "CREATE TABLE p3 PARTITION OF parted FOR VALUES WITH (MODULUS 4, REMAINDER 3);"
      "CREATE UNIQUE INDEX p1_other ON p1 (customer_id, other);"
      "CREATE UNIQUE INDEX p2_other ON p2 (customer_id, other, id);"
      "ALTER TABLE p0 REPLICA IDENTITY NOTHING; ALTER TABLE p1 REPLICA IDENTITY USING INDEX p1_other;"
      "ALTER TABLE p2 REPLICA IDENTITY USING INDEX p2_other; ALTER TABLE p3 REPLICA IDENTITY FULL;"
      "CREATE TABLE whole (id bigint PRIMARY KEY, customer_id bigint NOT NULL); ALTER TABLE whole REPLICA "
      "IDENTITY FULL;"
      "CREATE TABLE other (id bigint PRIMARY KEY, customer_id bigint NOT NULL, code text NOT NULL);"
      "CREATE UNIQUE INDEX other_code ON other (customer_id, code); ALTER TABLE other REPLICA IDENTITY USING "
      "INDEX other_code");
  auto const list = check({table("parted"), table("whole"), table("other")});
  expect_fail(list, "replica_identity", "shop.p0: it is NOTHING");
  expect_fail(list, "replica_identity", "shop.p1: it is the index over (customer_id, other), without id");
  expect_fail(list, "replica_identity", "shop.other: it is the index over (customer_id, code)");
  expect_pass(list, "replica_identity", "shop.whole");
  EXPECT_THAT(listing(list, "replica_identity"), Not(HasSubstr("shop.p2")));
  EXPECT_THAT(listing(list, "replica_identity"), Not(HasSubstr("shop.p3")));
}

TEST_F(doctor_tables, each_partition_is_looked_at) {  // AS20, AS21
  make(
      "CREATE TABLE parted (id bigint, customer_id bigint NOT NULL, email text, sum int DEFAULT 0,"
      " twice int GENERATED ALWAYS AS (sum * 2) STORED, PRIMARY KEY (id)) PARTITION BY RANGE (id);"
      "CREATE UNLOGGED TABLE p0 PARTITION OF parted FOR VALUES FROM (0) TO (10);"
      "CREATE TABLE p1 PARTITION OF parted FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);"
      "CREATE TABLE p11 PARTITION OF p1 FOR VALUES FROM (10) TO (15);"
      "CREATE UNIQUE INDEX p11_email ON p11 (email); CREATE UNIQUE INDEX p11_both ON p11 (email, "
      "customer_id);"
      "CREATE TABLE p2 (id bigint NOT NULL, customer_id bigint NOT NULL, email text NOT NULL, sum int "
      "DEFAULT 7, twice int"
      " GENERATED ALWAYS AS (sum * 2) STORED, CHECK (sum > 0)); ALTER TABLE parted ATTACH PARTITION p2 "
      "DEFAULT");
  auto const list = check({table("parted")});
  expect_fail(list, "partition", "shop.p0: it is unlogged");
  expect_fail(list, "unique_without_shard_key", "p11_email on shop.p11");
  EXPECT_THAT(listing(list, "unique_without_shard_key"), Not(HasSubstr("p11_both")));
  expect_warn(list, "partition_shape", "check constraint p2_sum_check");
  expect_warn(list, "partition_shape", "column sum: another default");
  expect_pass(list, "partition", "4 partitions by RANGE (id), one of them for all other rows");
  auto accepted = table("parted");
  accepted.accept_unique = {"p11_email"};
  expect_warn(check({accepted}), "unique_without_shard_key", "p11_email on shop.p11: accepted");
}

TEST_F(doctor_tables, a_key_that_two_nodes_could_give_out_is_refused) {  // AP10
  make(
      "CREATE EXTENSION IF NOT EXISTS pgcrypto SCHEMA shop;"
      "CREATE TABLE coupons (code text PRIMARY KEY, customer_id bigint NOT NULL);"
      "CREATE TABLE carts (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer_id bigint NOT NULL);"
      "CREATE TABLE tokens (id text PRIMARY KEY DEFAULT gen_random_uuid()::text, customer_id bigint NOT "
      "NULL);"
      "CREATE FUNCTION flake() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint';"
      "CREATE TABLE visits (id bigint PRIMARY KEY DEFAULT flake(), customer_id bigint NOT NULL);"
      "CREATE TABLE orders (id bigserial PRIMARY KEY, customer_id bigint NOT NULL);"
      "CREATE TABLE lines (order_id bigint REFERENCES orders, line int, customer_id bigint NOT NULL, PRIMARY "
      "KEY (order_id,"
      " line)); CREATE TABLE days (day date, customer_id bigint, PRIMARY KEY (customer_id, day))");
  auto silent = [](table_manifest made) {
    made.ids_given = false;
    return made;
  };
  auto tables = std::vector{table("coupons", {"code"}),
                            silent(table("carts")),
                            silent(table("tokens")),
                            silent(table("visits")),
                            interleaved(table("orders")),
                            silent(table("lines", {"order_id", "line"})),
                            silent(table("days", {"customer_id", "day"}))};
  auto list = check(tables);
  expect_fail(list, "key_uniqueness", "shop.coupons: the primary key (code) does not hold the shard key");
  expect_fail(list, "key_uniqueness", "lookup { name: \"by_key\" column: \"code\" unique: true }");
  expect_fail(list, "key_uniqueness", "shop.visits");
  expect_fail(list, "key_uniqueness", "the default of id calls shop.flake");
  expect_fail(list, "key_uniqueness", "in the manifest of shop.visits: ids { strategy: EXTERNAL }");
  expect_pass(list, "key_uniqueness", "shop.carts: id is made by gen_random_uuid()");
  expect_pass(list, "key_uniqueness", "shop.tokens: id is made by");
  expect_pass(list, "key_uniqueness", "shop.orders: id comes from interleaved sequences");
  expect_pass(list, "key_uniqueness", "shop.lines: it holds the key of shop.orders");
  expect_pass(list, "key_uniqueness", "shop.days: it holds the shard key");
  tables[0].lookups = {{.name = "by_code", .columns = {"code"}, .unique = true}};
  tables[3] = table("visits");
  list = check(tables);
  expect_pass(list, "key_uniqueness", "shop.coupons: the unique lookup by_code holds it");
  expect_pass(list, "key_uniqueness", "shop.visits: the application gives each id out once");
}

TEST_F(doctor_tables, an_index_holds_the_shard_key_only_as_a_value) {  // F4, AS21
  make(
      "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
      "CREATE TABLE people (id bigint PRIMARY KEY, customer_id bigint NOT NULL, email text NOT NULL, room "
      "int, CONSTRAINT"
      " alone EXCLUDE USING btree (room WITH =, customer_id WITH =), CONSTRAINT apart EXCLUDE USING btree "
      "(room WITH =));"
      "CREATE UNIQUE INDEX people_hidden ON people ((customer_id + 1), email); CREATE UNIQUE INDEX "
      "people_email ON people"
      " (email); CREATE UNIQUE INDEX people_part ON people (email) WHERE room > 1;"
      "CREATE TABLE names (id bigint PRIMARY KEY, customer_id text NOT NULL, email text NOT NULL);"
      "CREATE UNIQUE INDEX names_loose ON names (customer_id COLLATE loose, email)");
  auto people = table("people");
  people.lookups = {{.name = "by_email", .columns = {"email"}, .unique = true}};
  auto const list = check({people, table("names")});
  expect_fail(list, "unique_without_shard_key",
              "people_hidden: it does not hold the shard key as a column of its own");
  expect_fail(list, "unique_without_shard_key", "apart: it does not hold");
  expect_fail(list, "unique_without_shard_key", "people_part");
  expect_pass(list, "unique_without_shard_key", "people_email: the unique lookup by_email");
  expect_fail(list, "unique_without_shard_key", "names_loose: its collation or operator class");
  EXPECT_THAT(listing(list, "unique_without_shard_key"), Not(HasSubstr("alone:")));
}

TEST_F(doctor_tables, columns_that_the_stream_cannot_carry) {  // AS10, AS18, AS4
  make(
      "CREATE TABLE keys_only (id bigint GENERATED ALWAYS AS IDENTITY, customer_id bigint NOT NULL, PRIMARY "
      "KEY (id,"
      " customer_id)); CREATE TABLE made (id bigint PRIMARY KEY, account bigint NOT NULL, customer_id bigint "
      "GENERATED ALWAYS AS"
      " (account / 10) STORED NOT NULL); CREATE TABLE made_key (base int, id int GENERATED ALWAYS AS (base + "
      "1) STORED PRIMARY"
      " KEY, customer_id bigint NOT NULL); CREATE TABLE long_key (path text PRIMARY KEY, customer_id bigint "
      "NOT NULL);"
      "CREATE TABLE short_key (path varchar(100) PRIMARY KEY, customer_id bigint NOT NULL);"
      "INSERT INTO long_key SELECT string_agg(md5(i::text || j), ''), i FROM generate_series(1, 100) i, "
      "generate_series(1, 60)"
      " j GROUP BY i; DO $$ BEGIN EXECUTE (SELECT 'CREATE TABLE shop.wide (id bigint PRIMARY KEY, "
      "customer_id bigint NOT NULL, '"
      " || string_agg('c' || i || ' bool', ', ') || ')' FROM generate_series(1, 1499) i); END $$; ");
  auto const tables = std::vector{interleaved(table("keys_only", {"id", "customer_id"})),
                                  table("made"),
                                  table("made_key"),
                                  table("long_key", {"path"}),
                                  table("short_key", {"path"}),
                                  table("wide")};
  auto list = check(tables);
  expect_fail(list, "identity_column",
              "shop.keys_only.id: it is GENERATED ALWAYS AS IDENTITY, and the table has key");
  expect_fail(list, "shard_key_generated", "shop.made.customer_id");
  expect_fail(list, "key_generated", "shop.made_key.id");
  expect_warn(list, "key_out_of_line", "shop.long_key: the key has no limit, and no statistics");
  expect_pass(list, "key_out_of_line", "shop.short_key");
  expect_fail(list, "column_count", "shop.wide: it has 1501 columns");
  on_source("ANALYZE shop.long_key");
  expect_warn(check(tables), "key_out_of_line", "shop.long_key: keys average 1");
}

TEST_F(doctor_tables, odd_names_are_written_so_that_they_can_be_pasted) {
  make(
      "CREATE SCHEMA \"Shop Floor\"; CREATE TABLE \"Shop Floor\".\"Order \"\"Items\" (\"Id\" bigint PRIMARY "
      "KEY DEFERRABLE,"
      " customer_id bigint, \"select\" text, UNIQUE (\"select\")); CREATE TABLE taken (id bigint PRIMARY "
      "KEY, customer_id bigint"
      " NOT NULL, \"_shardway_version\" int); CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN RETURN NULL;"
      " END'; CREATE TRIGGER shardway_guard AFTER INSERT ON taken EXECUTE FUNCTION nothing()");
  auto odd = table("any", {"Id"});
  odd.table = "Shop Floor.Order \"Items";
  auto const list = check({odd, table("taken")});
  expect_fail(list, "key_index", "ALTER TABLE \"Shop Floor\".\"Order \"\"Items\" DROP CONSTRAINT");
  expect_fail(list, "shard_key_not_null",
              "ALTER TABLE \"Shop Floor\".\"Order \"\"Items\" ALTER COLUMN \"customer_id\"");
  expect_fail(list, "unique_without_shard_key", "Order \"Items_select_key");
  expect_fail(list, "reserved_name", "shop.taken._shardway_version");
  expect_fail(list, "reserved_name", "shardway_guard on shop.taken");
}

TEST_F(doctor_tables, relations_that_are_no_tables) {
  make(
      "CREATE VIEW v AS SELECT 1 AS id; CREATE MATERIALIZED VIEW m AS SELECT 1 AS id; CREATE TYPE kind AS "
      "(id bigint,"
      " customer_id bigint); CREATE TABLE typed OF kind (PRIMARY KEY (id)); CREATE SEQUENCE s");
  auto const list = check({table("v"), table("m"), table("typed"), table("s"), table("nowhere")});
  expect_fail(list, "table", "shop.v: it is no table, but a view");
  expect_fail(list, "table", "shop.m: it is no table, but a materialized view");
  expect_fail(list, "table", "shop.s: it is no table, but a sequence");
  expect_fail(list, "table", "shop.typed: it is a typed table");
  expect_fail(list, "table", "shop.nowhere: there is no such table");
}

TEST_F(doctor_tables, a_filter_looks_at_some_tables_and_knows_all) {
  make(
      "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL); CREATE TABLE items (id "
      "bigint PRIMARY KEY,"
      " customer_id bigint NOT NULL, order_id bigint REFERENCES orders); CREATE TABLE other (id bigint "
      "PRIMARY KEY)");
  auto tables = std::vector{table("orders"), table("items"), reference("other")};
  options_.tables = {"shop.items"};
  auto list = check(tables);
  expect_pass(list, "foreign_key", "items_order_id_fkey: both tables are on the same shard");
  EXPECT_THAT(listing(list, "primary_key"), Not(HasSubstr("shop.orders")));
  options_.tables = {};
  options_.groups = {"catalogue"};
  list = check(tables);
  expect_pass(list, "primary_key", "shop.other");
  for (auto const& one : list)
    if (one.id == "primary_key") EXPECT_EQ(one.table, "shop.other");
  EXPECT_THAT(listing(list, "primary_key"), Not(HasSubstr("shop.items")));
  options_.groups = {"nobody"};
  EXPECT_EQ(run_preflight(migration(), tables, options_).error().code(), error_code::invalid_argument);
}

// How long it takes is printed, and no part of the test: SHARDWAY_DOCTOR_TABLES=1200 makes an estate.
TEST_F(doctor_tables, the_number_of_queries_does_not_grow_with_the_tables) {
  auto const* wanted = std::getenv("SHARDWAY_DOCTOR_TABLES");
  auto const many = wanted ? std::atoi(wanted) : 60;
  std::vector<table_manifest> tables;
  for (int i = 0; i < many; ++i) tables.push_back(interleaved(table("t" + std::to_string(i))));
  make("DO $$ BEGIN FOR i IN 0.." + std::to_string(many - 1) +
       " LOOP EXECUTE format('CREATE TABLE shop.t%s (id bigserial PRIMARY KEY, customer_id bigint NOT NULL, "
       "name text NOT NULL,"
       " state int, sum numeric, made timestamptz DEFAULT now(), UNIQUE (customer_id, name))', i); END LOOP; "
       "END $$");
  check({tables.begin(), tables.begin() + 3});
  auto const few = asked_;
  asked_ = 0;
  auto const list = check(tables);
  std::cout << many << " tables: " << asked_ << " queries, " << took_.count() << " ms\n";
  EXPECT_EQ(asked_, few);
  expect_pass(list, "key_uniqueness", "shop.t" + std::to_string(many - 1));
  expect_no_fail(list, "key_uniqueness");
}

}  // namespace
}  // namespace shardway
