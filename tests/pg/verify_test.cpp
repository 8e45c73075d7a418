// Equal tables of every kind are found equal; every seeded fault is found and named.
#include "verify_fixture.hpp"

namespace {

using namespace shardway_test;

using strings = std::vector<std::string>;

class verify_test : public verify_fixture {
 protected:
  void expect_equal(std::string const& table, std::int64_t rows) {
    for (auto const& found : verify())
      if (found.relation == table) {
        EXPECT_EQ(found.found, verdict::equal) << table << " " << ::testing::PrintToString(named(found));
        EXPECT_EQ(found.rows, rows);
        EXPECT_EQ(found.differing, 0);
        EXPECT_TRUE(found.rows_named.empty());
        EXPECT_TRUE(found.as_of.is_set());
        EXPECT_FALSE(found.started_at.empty());
        return;
      }
    ADD_FAILURE() << table << " was not compared";
  }

  table_verdict only() {
    auto found = verify();
    EXPECT_EQ(found.size(), 1u);
    return std::move(found.at(0));
  }

  void expect_named(strings expected) {
    auto const found = only();
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(found.found, verdict::different);
    EXPECT_EQ(named(found), expected);
  }
};

TEST_F(verify_test, finds_tables_of_many_types_equal) {  // V4
  everywhere("CREATE TYPE shop.mood AS ENUM ('zeta', 'alpha'); CREATE DOMAIN shop.code AS text");
  add_table("shop.kinds",
            "id bigint PRIMARY KEY, customer_id bigint NOT NULL, n numeric, n2 numeric(12,2), at "
            "timestamptz, on_day date, span interval, j jsonb, js json, "
            "a text[], b int[], m shop.mood, u uuid, f float8, r real, raw bytea, t text, v varchar(20), c "
            "character(5), flag boolean, ip inet, "
            "doubled numeric GENERATED ALWAYS AS (n2 * 2) STORED",
            {"id"}, {"customer_id"});
  run(*source_,
      "INSERT INTO shop.kinds (id, customer_id, n, n2, at, on_day, span, j, js, a, b, m, u, f, r, raw, t, v, "
      "c, flag, ip) SELECT i, i, i * 1.000, i / 7.0, "
      "timestamptz '2024-03-31 01:30:00+01' + i * interval '1 hour', date '2000-01-01' + i, i * interval '1 "
      "day 1 second', "
      "jsonb_build_object('k', i, 'z', NULL, 'a', '\"quoted\"'), '{\"b\": 1,   \"a\": 2}', ARRAY['x', NULL, "
      "'', 'a\"b,{}'], ARRAY[i, NULL], "
      "CASE WHEN i % 2 = 0 THEN 'zeta' ELSE 'alpha' END::shop.mood, md5(i::text)::uuid, 0.1 + i, 0.1::real + "
      "i, decode(md5(i::text), 'hex'), "
      "E'it''s \"q\" \\\\ \\n\\t (a,b) ' || i, 'v' || i, 'c', i % 2 = 0, '10.0.0.1/24' FROM "
      "generate_series(1, 120) i");
  run(*source_,
      "INSERT INTO shop.kinds (id, customer_id, n, f, t, v, r, j) VALUES (1001, 1001, 'NaN', '-0', '', '', "
      "'NaN', 'null'), (1002, 1002, NULL, 'NaN', NULL, NULL, '-0', NULL), "
      "(1003, 1003, 1.10, 'Infinity', '\"', '''', '-Infinity', '{}'), (1004, 1004, 1e-30, 5e-324, '()', "
      "'(,)', 1e-45, '[]'), "
      "(1005, 1005, 1, 1.7976931348623157e308, E'\\u00e4\\u4e2d', E'\\u00df', 3.4e38, '\"\\u0041\"')");
  copy_table("shop.kinds");
  expect_equal("shop.kinds", 125);
}

TEST_F(verify_test, finds_tables_with_many_keys_equal) {  // CP5, V4
  everywhere("CREATE DOMAIN shop.code AS text; CREATE TYPE shop.mood AS ENUM ('zeta', 'alpha')");
  options_.range_rows = 7;
  add_table("shop.by_text", "code text PRIMARY KEY, customer_id bigint NOT NULL", {"code"}, {"customer_id"});
  add_table("shop.by_uuid", "id uuid PRIMARY KEY, customer_id bigint NOT NULL", {"id"}, {"customer_id"});
  add_table("shop.by_pair", "customer_id bigint, line int, note text, PRIMARY KEY (customer_id, line)",
            {"customer_id", "line"}, {"customer_id"});
  add_table("shop.by_domain", "code shop.code PRIMARY KEY, customer_id bigint NOT NULL", {"code"},
            {"customer_id"});
  add_table("shop.by_enum", "mood shop.mood, customer_id bigint, PRIMARY KEY (mood, customer_id)",
            {"mood", "customer_id"}, {"customer_id"});
  add_table("shop.by_time", "at timestamptz PRIMARY KEY, customer_id bigint NOT NULL", {"at"},
            {"customer_id"});
  add_table("shop.by_fixed", "c character(6) PRIMARY KEY, customer_id bigint NOT NULL", {"c"},
            {"customer_id"});
  add_table("shop.by_day", "customer_id bigint, day date, note text, PRIMARY KEY (customer_id, day)",
            {"customer_id", "day"}, {"customer_id"}, "PARTITION BY RANGE (day)");
  everywhere(
      "CREATE TABLE shop.by_day_1 PARTITION OF shop.by_day FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');"
      "CREATE TABLE shop.by_day_2 PARTITION OF shop.by_day DEFAULT");
  run(*source_,
      "INSERT INTO shop.by_text SELECT (ARRAY['a', 'B', '\"', '''', '\\', ' ', 'Z', '_', '{', ','])[1 + i % "
      "10] || chr(65 + i) || i, i FROM generate_series(1, 60) i;"
      "INSERT INTO shop.by_uuid SELECT md5(i::text)::uuid, i FROM generate_series(1, 60) i;"
      "INSERT INTO shop.by_pair SELECT i / 20, i, NULL FROM generate_series(1, 60) i;"
      "INSERT INTO shop.by_domain SELECT chr(97 + i % 26) || upper(md5(i::text)), i FROM generate_series(1, "
      "60) i;"
      "INSERT INTO shop.by_enum SELECT CASE WHEN i % 2 = 0 THEN 'zeta' ELSE 'alpha' END::shop.mood, i FROM "
      "generate_series(1, 60) i;"
      "INSERT INTO shop.by_time SELECT timestamptz '2024-01-01' + i * interval '1 ms', i FROM "
      "generate_series(1, 60) i;"
      "INSERT INTO shop.by_fixed SELECT i::text, i FROM generate_series(1, 60) i;"
      "INSERT INTO shop.by_day SELECT i, date '2020-01-01' + i, 'n' FROM generate_series(1, 60) i");
  strings const tables{"shop.by_text", "shop.by_uuid", "shop.by_pair",  "shop.by_domain",
                       "shop.by_enum", "shop.by_time", "shop.by_fixed", "shop.by_day"};
  for (auto const& name : tables) copy_table(name);
  auto const found = verify();
  ASSERT_EQ(found.size(), tables.size());
  for (auto const& one : found) {
    EXPECT_EQ(one.found, verdict::equal) << one.relation;
    EXPECT_EQ(one.rows, 60) << one.relation;
  }
  // And a fault in each is found under its own key.
  for (auto const& name : tables)
    for (std::size_t i = 0; i < 2; ++i) run(shard(i), "DELETE FROM " + name + " WHERE customer_id = 2");
  for (auto const& one : verify()) {
    EXPECT_EQ(one.found, verdict::different) << one.relation;
    EXPECT_EQ(one.rows_named.size(), one.relation == "shop.by_pair" ? 20u : 1u) << one.relation;
    for (auto const& row : one.rows_named) EXPECT_EQ(row.kind, difference_kind::missing);
  }
}

TEST_F(verify_test, cuts_ranges_at_every_size) {
  add_orders(30);
  for (auto rows : {1, 2, 10, 15, 29, 30, 31, 1000}) {
    options_.range_rows = rows;
    expect_equal("shop.orders", 30);
  }
  run(*source_, "DELETE FROM shop.orders");
  for (std::size_t i = 0; i < 2; ++i) run(shard(i), "DELETE FROM shop.orders");
  expect_equal("shop.orders", 0);
  run(shard(1),
      "INSERT INTO shop.orders VALUES (" + std::to_string(id_on(1)) + ", " + std::to_string(id_on(1)) + ")");
  expect_named({"extra shard2 " + std::to_string(id_on(1))});
}

TEST_F(verify_test, refuses_invalid_options) {
  add_orders(1);
  for (auto const& wrong :
       {verify_options{.range_rows = 0}, verify_options{.recheck_limit = 0}, verify_options{.named_max = 0}})
    EXPECT_EQ(verify_group(nodes(), now_, "sales", wrong).error().code(), error_code::invalid_argument);
  EXPECT_EQ(verify_group(nodes(), now_, "stock", options_).error().code(), error_code::invalid_argument);
}

TEST_F(verify_test, names_every_kind_of_fault) {  // V6
  add_orders(200);
  auto const a = id_on(0, 1), b = id_on(0, 2), c = id_on(1, 1), d = id_on(1, 2), e = id_on(0, 3),
             f = id_on(1, 3);
  auto const text = [](int id) { return std::to_string(id); };
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + text(a));
  run(shard(0), "UPDATE shop.orders SET total = total + 0.01 WHERE id = " + text(b));
  run(*source_, "UPDATE shop.orders SET note = NULL WHERE id = " + text(c));
  run(shard(1), "UPDATE shop.orders SET note = '' WHERE id = " + text(c));
  run(shard(1), "DELETE FROM shop.orders WHERE id = " + text(d));
  run(shard(0), "INSERT INTO shop.orders VALUES (" + text(d) + ", " + text(d) + ", 'note " + text(d) + "', " +
                    text(d) + " * 1.10)");
  run(shard(1), "INSERT INTO shop.orders VALUES (" + text(e) + ", " + text(e) + ", 'note " + text(e) + "', " +
                    text(e) + " * 1.10)");
  run(*source_, "DELETE FROM shop.orders WHERE id = " + text(f));
  expect_named({"missing shard1 " + text(a), "different shard1 " + text(b), "different shard2 " + text(c),
                "wrong_shard shard1 " + text(d), "two_shards shard2 " + text(e), "extra shard2 " + text(f)});
}

TEST_F(verify_test, counts_all_differences_and_names_at_most_the_maximum) {
  add_orders(40);
  for (std::size_t i = 0; i < 2; ++i) run(shard(i), "UPDATE shop.orders SET note = 'x'");
  options_.named_max = 5;
  auto const found = only();
  EXPECT_EQ(found.differing, 40);
  EXPECT_EQ(found.rows_named.size(), 5u);
}

TEST_F(verify_test, names_no_key_but_its_digest) {  // P4
  add_orders(40);
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + std::to_string(id_on(0)));
  auto const row = only().rows_named.at(0);
  EXPECT_FALSE(row.key_digest.empty());
  EXPECT_LE(row.key_digest.size(), 16u);
  EXPECT_NE(only().rows_named.at(0).key_digest, row.key_digest) << "keyed anew for each run";
}

// V3: values exchanged between two rows, and one added where another is taken: equal in count and in a plain
// sum.
TEST_F(verify_test, is_not_fooled_by_faults_that_cancel) {
  add_orders(100);
  auto const a = std::to_string(id_on(0, 1)), b = std::to_string(id_on(0, 2));
  run(shard(0), "UPDATE shop.orders SET total = CASE id WHEN " + a + " THEN " + b + " * 1.10 ELSE " + a +
                    " * 1.10 END WHERE id IN (" + a + ", " + b + ")");
  expect_named({"different shard1 " + a, "different shard1 " + b});
}

// A shard on which nothing is placed must be empty, even if the row's own shard lacks it.
TEST_F(verify_test, looks_at_a_shard_without_slots) {
  now_.placement = {{all_slots, shard_id{0}}};
  add_table("shop.orders", "id bigint PRIMARY KEY, customer_id bigint NOT NULL, note text", {"id"},
            {"customer_id"});
  run(*source_, "INSERT INTO shop.orders VALUES (1, 1, 'a'), (2, 2, 'b')");
  run(shard(0), "INSERT INTO shop.orders VALUES (1, 1, 'a')");
  run(shard(1), "INSERT INTO shop.orders VALUES (2, 2, 'b')");
  expect_named({"wrong_shard shard2 2"});
}

TEST_F(verify_test, compares_a_reference_table_with_every_shard) {
  add_table("shop.colors", "code text PRIMARY KEY, label text", {"code"}, {});
  run(*source_, "INSERT INTO shop.colors SELECT 'c' || i, 'color ' || i FROM generate_series(1, 30) i");
  copy_table("shop.colors");
  expect_equal("shop.colors", 30);
  run(shard(0), "DELETE FROM shop.colors WHERE code = 'c7'");
  run(shard(1),
      "UPDATE shop.colors SET label = 'x' WHERE code = 'c7'; INSERT INTO shop.colors VALUES ('c99', 'new')");
  expect_named({"missing shard1 c7", "different shard2 c7", "extra shard2 c99"});
}

TEST_F(verify_test, blames_the_source_where_the_shards_have_authority) {  // V7
  add_orders(60);
  move_all();
  expect_equal("shop.orders", 60);
  auto const a = std::to_string(id_on(0, 1)), b = std::to_string(id_on(1, 1)),
             c = std::to_string(id_on(1, 2));
  run(*source_, "DELETE FROM shop.orders WHERE id = " + a);
  run(*source_, "UPDATE shop.orders SET note = 'x' WHERE id = " + b);
  run(shard(1), "DELETE FROM shop.orders WHERE id = " + c);
  expect_named({"missing source " + a, "different source " + b, "extra source " + c});
}

TEST_F(verify_test, starts_and_changes_nothing) {  // V7
  add_orders(20);
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + std::to_string(id_on(0)));
  auto const state = [&] {
    return one(*source_, "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM shop.orders t") +
           one(*source_, "SELECT count(*) FROM shardway.certificate") +
           one(*source_, "SELECT count(*) FROM shardway.repair") +
           one(shard(0), "SELECT count(*) FROM shop.orders");
  };
  auto const before = state();
  (void)verify();
  EXPECT_EQ(state(), before);
}

// V1: what the stream has not delivered yet is not a fault. It arrives between the checks.
TEST_F(verify_test, waits_for_what_the_stream_still_brings) {
  add_orders(60);
  auto const id = std::to_string(id_on(0));
  run(*source_, "UPDATE shop.orders SET note = 'new' WHERE id = " + id);
  auto arriving = std::async(std::launch::async, [&, stream = open_shard(0)] {
    std::this_thread::sleep_for(300ms);
    run(*stream, "UPDATE shop.orders SET note = 'new' WHERE id = " + id);
    return passing();
  });
  auto const found = value_of(verify_group(nodes(), now_, "sales", options_)).at(0);
  EXPECT_EQ(found.found, verdict::equal);
  EXPECT_EQ(found.rechecked, 1);
  (void)arriving.get();
}

TEST_F(verify_test, cannot_tell_of_a_row_that_keeps_changing) {  // V1
  add_orders(60);
  options_.recheck_limit = 4;
  auto const id = std::to_string(id_on(0));
  std::atomic<bool> stopping{};
  run(shard(0), "UPDATE shop.orders SET note = 'behind' WHERE id = " + id);
  // Two alternating values: the next check may well see the same value as the last one.
  auto const source = open_source();
  parallel_work writer(
      [&] {
        for (int i = 0; !stopping; ++i)
          run(*source,
              "UPDATE shop.orders SET note = '" + std::string(i % 2 ? "a" : "b") + "' WHERE id = " + id);
      },
      [&] { stopping = true; });
  auto const found = only();
  writer.finish();
  EXPECT_EQ(found.found, verdict::could_not_tell);
  EXPECT_EQ(found.differing, 1);
  EXPECT_TRUE(found.rows_named.empty());
}

TEST_F(verify_test, cannot_tell_at_the_deadline_while_the_stream_does_not_pass) {
  add_orders(60);
  run(shard(0), "DELETE FROM shop.orders WHERE id = " + std::to_string(id_on(0)));
  options_.deadline = 400ms;
  auto const begun = std::chrono::steady_clock::now();
  auto const found = value_of(verify_group(nodes(), now_, "sales", options_)).at(0);
  EXPECT_EQ(found.found, verdict::could_not_tell);
  EXPECT_EQ(found.differing, 1);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2500ms);
}

TEST_F(verify_test, cannot_tell_of_what_it_has_not_read_by_the_deadline) {
  add_orders(60);
  options_.range_rows = 1;
  options_.deadline = 5ms;
  EXPECT_EQ(only().found, verdict::could_not_tell);
}

}  // namespace
