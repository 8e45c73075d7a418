// The merge against PostgreSQL itself: what four shards return together is what one server returns for all
// rows.
#include <gmock/gmock.h>

#include "lib/read/merge.hpp"
#include "shardway/pg/connect.hpp"
#include "split_fleet.hpp"

namespace {

using namespace shardway_test;

constexpr char kinds_sql[] =
    "CREATE TYPE shop.state AS ENUM ('placed', 'paid', 'sent'); "
    "CREATE TABLE shop.kinds (id bigint PRIMARY KEY, customer_id bigint NOT NULL, i2 smallint, i4 int, i8 "
    "bigint, n numeric, f4 real, f8 double precision, "
    "t text, d date, ts timestamp, tz timestamptz, u uuid, b bytea, o boolean, s shop.state, v interval); "
    "GRANT SELECT ON shop.kinds TO public";

// Rows that two servers would not order alike by chance: repeats, NULLs and the limits of every type.
constexpr char rows_sql[] =
    "INSERT INTO shop.kinds SELECT i, i % 400 + 1, CASE WHEN i % 9 > 0 THEN (i * 37 % 11) - 5 END, CASE WHEN "
    "i % 7 > 0 THEN i * 7919 % 1000 - 500 END, "
    "CASE i % 50 WHEN 0 THEN NULL WHEN 1 THEN 9223372036854775807 WHEN 2 THEN -9223372036854775808 ELSE i * "
    "104729 % 5000 - 2500 END, "
    "CASE i % 40 WHEN 0 THEN NULL WHEN 1 THEN 'NaN'::numeric WHEN 2 THEN 12345678901234567890.0000000001 "
    "WHEN 3 THEN -0.00 WHEN 4 THEN -1e20 "
    "ELSE (i * 31 % 400 - 200)::numeric / (1 + i % 3) END, CASE WHEN i % 8 > 0 THEN (i % 13 - 6) / 4.0 END, "
    "CASE i % 60 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity' WHEN 3 THEN '-Infinity' WHEN 4 "
    "THEN -0.0 WHEN 5 THEN 1e-300 ELSE (i * 53 % 200 - 100) / 7.0 END, "
    "CASE WHEN i % 30 > 0 THEN (ARRAY['a', 'B', 'b', 'A', 'ab', 'a b', '', 'Z', 'a,\"{}\\', 'zz'])[1 + i % "
    "10] || i % 3 END, "
    "CASE i % 45 WHEN 0 THEN NULL WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' WHEN 3 THEN '0044-03-15 BC' "
    "WHEN 4 THEN '12000-01-01' ELSE '2000-01-01'::date + i * 17 % 900 END, "
    "CASE i % 45 WHEN 0 THEN NULL WHEN 1 THEN 'infinity' WHEN 2 THEN '0100-03-15 10:00:00 BC' WHEN 3 THEN "
    "'0100-03-16 BC' ELSE '2000-01-01'::timestamp + i * 17 % 90 * interval '0.25 s' END, "
    "CASE WHEN i % 20 > 0 THEN '1999-12-31 23:59:59+00'::timestamptz + i * 29 % 70 * interval '0.125 s' END, "
    "CASE WHEN i % 33 > 0 THEN md5((i % 100)::text)::uuid END, "
    "CASE WHEN i % 21 > 0 THEN decode(left(md5((i % 50)::text), 2 * (i % 6)::int), 'hex') END, CASE WHEN i % "
    "5 > 0 THEN i % 2 = 0 END, "
    "CASE WHEN i % 6 > 0 THEN (ARRAY['placed', 'paid', 'sent']::shop.state[])[1 + i % 3] END, CASE WHEN i % "
    "7 > 0 THEN i % 9 * interval '90 minutes' END "
    "FROM generate_series(1, 1200) i WHERE ";

class merged_rows : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = std::make_unique<split_fleet>();
    auto& current = fleet_->fleet().current();
    auto kinds =
        table_of("shop.kinds", "shop", {"id"}, {column("id", "bigint"), column("customer_id", "bigint")});
    kinds.manifest.reads = current.tables[0].manifest.reads;
    current.tables.push_back(kinds);
    // On the shards a type of ours has another OID than on the source.
    for (std::size_t i = 0; i < 4; ++i)
      require(fleet_->shard(i).query("CREATE TYPE shop.other AS ENUM ('a')"));
    for (auto* node : fleet_->fleet().servers().all()) require(node->query(kinds_sql));
    require(fleet_->source().query(rows_sql + std::string("true")));
    for (std::size_t i = 0; i < 4; ++i) {
      auto const slots = current.placement[i].slots;
      require(fleet_->shard(i).query(rows_sql + ("shardway.slot_of((i % 400 + 1)::bigint) BETWEEN " +
                                                 std::to_string(slots.first.value()) + " AND " +
                                                 std::to_string(slots.last.value()))));
      fleet_->move(
          i, fleet_->part_of_shard(i, i == 0 ? 40 : 100));  // the source keeps a part: five nodes answer
    }
    fleet_->publish();
    app_.emplace(fleet_->fleet().open());
    one_ = value_of(
        connect({.node = "source", .conninfo = fleet_->fleet().servers().conninfo(fleet_->source())}));
  }
  static void TearDownTestSuite() {
    one_.reset();
    app_.reset();
    fleet_.reset();
  }

  static std::vector<std::string> list(rows const& of) {
    std::vector<std::string> all;
    for (std::size_t row = 0; row < of.size(); ++row) {
      std::string line;
      for (std::size_t i = 0; i < of.columns().size(); ++i)
        line += of.at(row, i) ? "|" + std::string(*of.at(row, i)) : std::string("|null");
      all.push_back(line);
    }
    return all;
  }
  static result<merged_answer> read(std::string const& columns, merge_terms terms) {
    return app_->session().read_all("shop.kinds",
                                    "SELECT " + columns + " FROM shop.kinds k WHERE {slots:k.customer_id}",
                                    {}, {.merge = std::move(terms)});
  }
  /// The source still has every row of this table: one server's own answer.
  static std::vector<std::string> expected(std::string const& sql) {
    return list(value_of(one_->query({.sql = sql})));
  }

  inline static std::unique_ptr<split_fleet> fleet_;
  inline static std::optional<client> app_;
  inline static std::unique_ptr<session> one_;
};

TEST_F(merged_rows, every_type_is_ordered_as_one_server_orders_it) {
  struct kind {
    std::string column, collation{};
  };
  for (auto const& [name, collation] : std::vector<kind>{{"i2"},
                                                         {"i4"},
                                                         {"i8"},
                                                         {"n"},
                                                         {"f4"},
                                                         {"f8"},
                                                         {"d"},
                                                         {"ts"},
                                                         {"tz"},
                                                         {"u"},
                                                         {"b"},
                                                         {"o"},
                                                         {"s"},
                                                         {"v"},
                                                         {"t", "C"},
                                                         {"t", "default"},
                                                         {"t", "und-x-icu"}})
    for (bool const descending : {false, true}) {
      auto const nulls_first = descending ? std::optional<bool>{} : std::optional{true};
      auto const merged =
          value_of(read("k." + name + ", k.id",
                        {.order_by = {{name, descending, nulls_first, collation}, {.column = "id"}}}));
      auto const by = "k." + name + (collation.empty() ? "" : " COLLATE \"" + collation + "\"") +
                      (descending ? " DESC" : " NULLS FIRST");
      EXPECT_EQ(list(merged.returned),
                expected("SELECT k." + name + ", k.id FROM shop.kinds k ORDER BY " + by + ", k.id"))
          << by;
      EXPECT_EQ(merged.parts.size(), 5U);
    }
}

TEST_F(merged_rows, limit_and_offset_count_merged_rows) {
  for (auto const& [limit, offset] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {10, 0}, {7, 113}, {0, 5}, {50, 1190}, {5, 5000}}) {
    auto const window = " LIMIT " + std::to_string(limit) + " OFFSET " + std::to_string(offset);
    EXPECT_EQ(
        list(value_of(read("k.n, k.id", {.order_by = {{.column = "n", .descending = true}, {.column = "id"}},
                                         .limit = limit,
                                         .offset = offset}))
                 .returned),
        expected("SELECT k.n, k.id FROM shop.kinds k ORDER BY k.n DESC, k.id" + window));
    EXPECT_EQ(list(value_of(read("k.t, k.id",
                                 {.order_by = {{.column = "t", .collation = "default"}, {.column = "id"}},
                                  .limit = limit,
                                  .offset = offset}))
                       .returned),
              expected("SELECT k.t, k.id FROM shop.kinds k ORDER BY k.t, k.id" + window));
  }
}

TEST_F(merged_rows, aggregates_are_those_of_one_server) {
  using f = aggregate_function;
  for (auto const* group : {"", "s", "i2", "t", "o"}) {
    merge_terms terms{.aggregates = {{"rows", f::count_rows},
                                     {"some", f::count, "i4"},
                                     {"s2", f::sum, "i2"},
                                     {"s4", f::sum, "i4"},
                                     {"s8", f::sum, "i8"},
                                     {"sn", f::sum, "n"},
                                     {"sv", f::sum, "v"},
                                     {"a2", f::avg, "i2"},
                                     {"a4", f::avg, "i4"},
                                     {"a8", f::avg, "i8"},
                                     {"an", f::avg, "n"},
                                     {"av", f::avg, "v"},
                                     {"lo", f::min, "tz"},
                                     {"hi", f::max, "d"},
                                     {"first", f::min, "t", "C"},
                                     {"last", f::max, "s"}}};
    std::string list_sql, group_sql;
    if (*group != '\0') {
      terms.group_by = {group};
      terms.order_by = {{.column = group, .collation = *group == 't' ? "C" : ""}};
      list_sql = std::string("k.") + group + ", ";
      group_sql = std::string(" GROUP BY k.") + group + " ORDER BY k." + group +
                  (*group == 't' ? " COLLATE \"C\"" : "");
    }
    EXPECT_EQ(list(value_of(read("*", terms)).returned),
              expected("SELECT " + list_sql +
                       "count(*), count(i4), sum(i2), sum(i4), sum(i8), sum(n), sum(v), avg(i2), avg(i4), "
                       "avg(i8), avg(n), avg(v), min(tz), max(d), "
                       "min(t COLLATE \"C\"), max(s) FROM shop.kinds k" +
                       group_sql))
        << group;
  }
}

TEST_F(merged_rows, groups_without_aggregates_are_distinct_rows) {
  EXPECT_EQ(
      list(value_of(read("k.s, k.o", {.order_by = {{.column = "o"}, {.column = "s", .descending = true}},
                                      .group_by = {"s", "o"}}))
               .returned),
      expected("SELECT DISTINCT k.s, k.o FROM shop.kinds k ORDER BY k.o, k.s DESC"));
}

TEST_F(merged_rows, an_empty_union_has_the_aggregates_of_no_rows) {
  using f = aggregate_function;
  auto const none = value_of(app_->session().read_all(
      "shop.kinds", "SELECT k.i8 FROM shop.kinds k WHERE {slots:k.customer_id} AND k.id < $1", {"0"},
      {.merge = {.aggregates = {{"n", f::count_rows}, {"s", f::sum, "i8"}, {"a", f::avg, "i8"}}}}));
  EXPECT_EQ(list(none.returned), expected("SELECT count(*), sum(i8), avg(i8) FROM shop.kinds WHERE id < 0"));
  EXPECT_TRUE(value_of(app_->session().read_all(
                           "shop.kinds",
                           "SELECT k.i8 FROM shop.kinds k WHERE {slots:k.customer_id} AND k.id < $1", {"0"}))
                  .returned.empty());
}

TEST_F(merged_rows, what_would_be_wrong_is_refused) {
  auto const code = [&](std::string const& sql, scatter_options const& options = {}) {
    return app_->session().read_all("shop.kinds", sql, {}, options).error().code();
  };
  std::string const marked = " FROM shop.kinds k WHERE {slots:k.customer_id}";
  EXPECT_EQ(code("SELECT count(*)" + marked), error_code::statement_refused);
  EXPECT_EQ(code("SELECT coalesce(max(k.id), 0)" + marked), error_code::statement_refused);
  EXPECT_EQ(code("SELECT k.id FROM shop.kinds k"), error_code::statement_refused)
      << "nothing says where the slots are";
  EXPECT_EQ(code("SELECT k.id FROM shop.kinds k WHERE {slots:k.id, k.customer_id}"),
            error_code::statement_refused);
  EXPECT_EQ(code("SELECT k.id" + marked + " FOR SHARE"), error_code::statement_refused);
  EXPECT_EQ(code("SELECT k.t" + marked, {.merge = {.order_by = {{.column = "t"}}}}),
            error_code::invalid_argument)
      << "text without a collation";
  EXPECT_EQ(code("SELECT k.id" + marked, {.rows_max = 100}), error_code::statement_refused);
  EXPECT_EQ(code("SELECT k.t" + marked, {.bytes_max = 100}), error_code::statement_refused);
  EXPECT_EQ(code("SELECT k.id" + marked, {.fan_out_max = 4}), error_code::statement_refused);
  EXPECT_EQ(code("SELECT k.id" + marked, {.merge = {.aggregates = {{"a", aggregate_function::avg, "t"}}}}),
            error_code::sql_error);
  EXPECT_EQ(code("SELECT k.nothing" + marked), error_code::sql_error);
}

TEST_F(merged_rows, a_manifest_that_does_not_allow_it_is_named) {
  auto& policy = fleet_->fleet().current().tables.back().manifest.reads;
  policy.scatter = false;
  fleet_->publish();
  require(app_->refresh());
  auto const refused =
      app_->session()
          .read_all("shop.kinds", "SELECT k.id FROM shop.kinds k WHERE {slots:k.customer_id}")
          .error();
  policy.scatter = true;
  fleet_->publish();
  require(app_->refresh());
  EXPECT_EQ(refused.code(), error_code::statement_refused);
  EXPECT_THAT(refused.to_string(),
              ::testing::AllOf(::testing::HasSubstr("shop.kinds"), ::testing::HasSubstr("reads")));
  EXPECT_EQ(app_->session().read_all("shop.currencies", "SELECT 1").error().code(),
            error_code::invalid_argument);
}

TEST_F(merged_rows, late_nodes_are_named_and_the_next_read_succeeds) {
  auto const holder =
      value_of(connect({.node = "shard3", .conninfo = fleet_->fleet().servers().conninfo(fleet_->shard(2))}));
  require(holder->query({.sql = "BEGIN"}));
  require(holder->query({.sql = "LOCK TABLE shop.kinds IN ACCESS EXCLUSIVE MODE"}));
  auto const late = app_->session()
                        .read_all("shop.kinds", "SELECT k.id FROM shop.kinds k WHERE {slots:k.customer_id}",
                                  {}, {.budget = 300ms})
                        .error();
  EXPECT_EQ(late.code(), error_code::deadline_exceeded);
  EXPECT_THAT(late.message(), ::testing::EndsWith("from " + fleet_->shard(2).name())) << late.to_string();
  require(holder->query({.sql = "ROLLBACK"}));
  EXPECT_EQ(value_of(read("k.id", {})).returned.size(), 1200U);
}

}  // namespace
