// Reads of several keys: grouped by node, each node asked once, correct while authority moves.
#include <set>

#include <gmock/gmock.h>

#include "split_fleet.hpp"

namespace {

using namespace shardway_test;

constexpr char of_keys[] =
    "SELECT o.order_id, o.customer_id, o.note FROM shop.orders o WHERE o.customer_id = ANY ($1)";

class multi_read : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = std::make_unique<split_fleet>();
    make_notes();
    for (std::size_t i = 0; i < 4; ++i) fleet_->move(i, fleet_->part_of_shard(i, 50));
    fleet_->publish();
  }
  static void TearDownTestSuite() { fleet_.reset(); }

  // A shard key of two columns, with texts that an array must quote.
  static void make_notes() {
    auto& current = fleet_->fleet().current();
    auto notes =
        table_of("shop.notes", "shop", {"tenant", "id"}, {column("tenant", "bigint"), column("id", "text")});
    notes.manifest.shard_key = {"tenant", "id"};
    notes.manifest.reads = current.tables[0].manifest.reads;
    current.tables.push_back(notes);
    std::string const rows =
        "CREATE TABLE shop.notes (tenant bigint, id text, PRIMARY KEY (tenant, id)); INSERT INTO shop.notes "
        "SELECT n % 3, 'a,\"{} \\' || n FROM "
        "generate_series(1, 90) n WHERE shardway.slot_of_parts(shardway.key_part((n % 3)::bigint), "
        "shardway.key_part('a,\"{} \\' || n)) BETWEEN ";
    require(fleet_->source().query(rows + "0 AND 4095"));
    for (std::size_t i = 0; i < 4; ++i) {
      auto const slots = current.placement[i].slots;
      require(fleet_->shard(i).query(rows + std::to_string(slots.first.value()) + " AND " +
                                     std::to_string(slots.last.value())));
    }
  }

  static std::vector<shard_key> keys(std::int64_t count) {
    std::vector<shard_key> all;
    for (std::int64_t key = 1; key <= count; ++key) all.emplace_back(key);
    return all;
  }
  static std::multiset<std::string> customers(rows const& of) {
    std::multiset<std::string> all;
    for (std::size_t i = 0; i < of.size(); ++i) all.emplace(of.text(i, 1));
    return all;
  }
  static std::multiset<std::string> thrice(std::int64_t count) {
    std::multiset<std::string> all;
    for (std::int64_t key = 1; key <= count; ++key)
      for (int i = 0; i < 3; ++i) all.insert(text(key));
    return all;
  }
  inline static std::unique_ptr<split_fleet> fleet_;
};

TEST_F(multi_read, each_node_is_asked_once_for_its_own_keys) {
  auto app = fleet_->fleet().open();
  auto wanted = keys(120);
  wanted.emplace_back(std::int64_t{5});  // twice: read once
  auto const read = value_of(app.session().read_many("shop.orders", wanted, of_keys));
  EXPECT_EQ(customers(read.returned), thrice(120));
  EXPECT_EQ(read.parts.size(), 5U) << "the source and four shards";
  auto const sum =
      value_of(app.session().read_many("shop.orders", wanted, of_keys, {},
                                       {.merge = {.aggregates = {{"n", aggregate_function::count_rows}}}}));
  EXPECT_EQ(sum.returned.text(0, 0), "360");
}

TEST_F(multi_read, the_callers_parameters_follow_and_rows_are_merged) {
  auto app = fleet_->fleet().open();
  auto const read = value_of(app.session().read_many(
      "shop.orders", keys(60), std::string(of_keys) + " AND o.note = $2 AND o.order_id % 10 = $3",
      {"note 3", "1"}, {.merge = {.order_by = {{.column = "customer_id", .descending = true}}, .limit = 3}}));
  ASSERT_EQ(read.returned.size(), 3U);
  EXPECT_EQ(read.returned.text(0, 1), "59");
  EXPECT_EQ(read.returned.text(1, 1), "52");
  EXPECT_EQ(read.returned.text(2, 1), "45");
}

TEST_F(multi_read, a_key_of_two_columns_is_two_arrays) {
  auto app = fleet_->fleet().open();
  std::vector<shard_key> wanted;
  for (int n = 1; n <= 90; ++n) wanted.push_back(shard_key{n % 3, "a,\"{} \\" + std::to_string(n)});
  auto const some =
      value_of(app.session().read_many("shop.notes", wanted,
                                       "SELECT t.tenant, t.id FROM shop.notes t WHERE (t.tenant, t.id) IN "
                                       "(SELECT * FROM unnest($1::bigint[], $2::text[]))"));
  EXPECT_EQ(some.returned.size(), 90U);
  EXPECT_EQ(some.parts.size(), 5U);
  auto const all = value_of(app.session().read_all(
      "shop.notes", "SELECT t.tenant, t.id FROM shop.notes t WHERE {slots:t.tenant, t.id}"));
  EXPECT_EQ(all.returned.size(), 90U);
  EXPECT_TRUE(all.filtered);
}

TEST_F(multi_read, a_session_sees_what_it_wrote_on_each_node) {
  auto app = fleet_->fleet().open();
  auto session = app.session();
  auto const key = fresh_key(), other = fresh_key();
  for (auto const one : {key, other})
    require(session.execute("shop.orders", one,
                            "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $2)",
                            {text(one * 100000), text(one)}));
  std::vector<shard_key> const both{key, other};
  EXPECT_EQ(customers(value_of(session.read_many("shop.orders", both, of_keys)).returned),
            (std::multiset<std::string>{text(key), text(other)}));
}

// I1, I8. The client has an older generation.
TEST_F(multi_read, authority_that_moved_unseen_makes_the_read_begin_anew) {
  auto app = fleet_->open_slow();
  auto session = app.session();
  ASSERT_EQ(customers(value_of(session.read_many("shop.orders", keys(120), of_keys)).returned), thrice(120));
  auto const slots = fleet_->fleet().current().placement[3].slots;
  fleet_->move(
      3, {slot_id{static_cast<std::uint16_t>(fleet_->part_of_shard(3, 50).last.value() + 1)}, slots.last});
  {
    without_guard const off("read_fence");
    EXPECT_NE(customers(value_of(session.read_many("shop.orders", keys(120), of_keys)).returned), thrice(120))
        << "moved rows were to be missing";
  }
  fleet_->publish();
  auto const read = value_of(session.read_many("shop.orders", keys(120), of_keys));
  EXPECT_EQ(customers(read.returned), thrice(120));
  EXPECT_GE(read.repeats, 1U);
}

TEST_F(multi_read, a_node_that_fails_is_named) {
  auto app = fleet_->fleet().open();
  require(fleet_->shard(1).query("ALTER TABLE shop.items RENAME TO items_away"));
  auto const failed = app.session()
                          .read_many("shop.items", keys(120),
                                     "SELECT i.order_id FROM shop.items i WHERE i.customer_id = ANY ($1)")
                          .error();
  require(fleet_->shard(1).query("ALTER TABLE shop.items_away RENAME TO items"));
  EXPECT_EQ(failed.code(), error_code::sql_error);
  EXPECT_EQ(failed.node(), fleet_->shard(1).name());
}

TEST_F(multi_read, calls_without_keys_or_with_other_parameters_are_refused) {
  auto app = fleet_->fleet().open();
  auto session = app.session();
  EXPECT_EQ(session.read_many("shop.orders", {}, of_keys).error().code(), error_code::shard_key_missing);
  EXPECT_EQ(session.read_many("shop.orders", keys(2), "SELECT 1").error().code(),
            error_code::statement_refused);
  EXPECT_EQ(session.read_many("shop.orders", keys(2), of_keys, {"too many"}).error().code(),
            error_code::statement_refused);
  EXPECT_EQ(session.read_many("shop.nothing", keys(2), of_keys).error().code(), error_code::unknown_table);
  auto const missing = session.read("shop.orders", {}, "SELECT 1 FROM shop.orders").error();
  EXPECT_EQ(missing.code(), error_code::shard_key_missing);
  EXPECT_THAT(missing.message(), ::testing::HasSubstr("customer_id"));
}

}  // namespace
