// AP19: a routed key that is no value of its column's type is refused before anything is routed. A cast cuts
// a longer text without a word where the surplus is blanks, and the slot of the longer text is another one.
#include "client_fleet.hpp"

namespace {

using namespace shardway_test;

class routed_key : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    fleet_ = std::make_unique<client_fleet>();
    auto customers = table_of("shop.customers", "shop", {"customer_id"},
                              {column("customer_id", "character varying(5)"), column("name", "text")});
    customers.manifest.reads.scatter = true;
    for (auto* node : fleet_->servers().all())
      require(node->query(
          "CREATE TABLE shop.customers (customer_id varchar(5) PRIMARY KEY, name text); INSERT INTO "
          "shop.customers VALUES ('ALFKI', 'kept')"));
    for (std::size_t i = 0; i < fleet_->servers().shard_count(); ++i)
      require(fleet_->servers().shard(i).query(shard_table_sql(customers, "postgres")));
    fleet_->current().tables.push_back(customers);
    auto const slot = slot_of(shard_key{"ALFKI"});
    fleet_->flip(fleet_->servers().source(), slot, 1, false);
    fleet_->flip(fleet_->shard_of(slot), slot, 2, true);
    fleet_->assign(slot, fleet_->current().shard_of(slot), 2);
    fleet_->publish(stage::sharded);
  }
  static void TearDownTestSuite() { fleet_.reset(); }

  static void expect_refused(std::string const& call, error const& why) {
    EXPECT_EQ(why.code(), error_code::invalid_argument) << call << ": " << why.to_string();
    EXPECT_EQ(why.to_string().find("ALFKI"), std::string::npos) << call;
  }

  inline static std::unique_ptr<client_fleet> fleet_;
};

TEST_F(routed_key, that_a_cast_would_cut_is_refused_by_every_call) {  // AP19
  auto app = fleet_->open();
  auto session = app.session();
  shard_key const longer{"ALFKI "};
  ASSERT_NE(slot_of(longer), slot_of(shard_key{"ALFKI"}));
  constexpr char update[] = "UPDATE shop.customers SET name = 'lost' WHERE customer_id = 'ALFKI'";
  constexpr char select[] = "SELECT name FROM shop.customers WHERE customer_id = ANY ($1)";
  std::vector<shard_key> const keys{longer};
  expect_refused("execute", session.execute("shop.customers", longer, update).error());
  expect_refused(
      "write",
      session.write("shop.customers", longer, [](write_transaction&) -> result<> { return success(); })
          .error());
  expect_refused("read", session.read("shop.customers", longer, select).error());
  expect_refused("read_many", session.read_many("shop.customers", keys, select).error());
  expect_refused("insert",
                 session.insert("shop.customers", {{"customer_id", "ALFKI "}, {"name", "lost"}}).error());
  expect_refused("upsert",
                 session.upsert("shop.customers", {{"customer_id", "ALFKI "}, {"name", "lost"}}).error());
  expect_refused("update",
                 session.update("shop.customers", {{"customer_id", "ALFKI "}, {"name", "lost"}}).error());
  expect_refused("erase", session.erase("shop.customers", {{"customer_id", "ALFKI "}}).error());
  std::vector<batch_row> const rows{{.key = longer, .parameters = {"lost"}}};
  expect_refused(
      "execute_batch",
      session.execute_batch("shop.customers", "UPDATE shop.customers SET name = $1", rows).error());
  expect_refused("route_of", app.route_of("shop.customers", longer).error());
  for (auto* node : fleet_->servers().all())
    EXPECT_EQ(fleet_->on(*node, "SELECT string_agg(customer_id || name, ',') FROM shop.customers"),
              "ALFKIkept");
  EXPECT_EQ(value_of(session.execute("shop.customers", "ALFKI", update)).affected, 1)
      << "the key itself is one";
}

}  // namespace
