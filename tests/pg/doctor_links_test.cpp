// What the doctor finds about what tables have in common: foreign keys and the rows behind them, sequences.
#include "pg/doctor_fixture.hpp"

namespace shardway {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(doctor_tables, sequences_that_would_give_ids_twice) {  // AS5, AS26
  make(
      "CREATE TABLE small (id smallserial PRIMARY KEY, customer_id bigint NOT NULL);"
      "CREATE TABLE blocks (id bigserial PRIMARY KEY, customer_id bigint NOT NULL); ALTER SEQUENCE "
      "blocks_id_seq INCREMENT 50;"
      "CREATE TABLE rounds (id bigserial PRIMARY KEY, customer_id bigint NOT NULL); ALTER SEQUENCE "
      "rounds_id_seq CYCLE;"
      "CREATE TABLE back (id bigint PRIMARY KEY, customer_id bigint NOT NULL); CREATE SEQUENCE down "
      "INCREMENT -1;"
      "ALTER TABLE back ALTER COLUMN id SET DEFAULT nextval('down');"
      "CREATE SEQUENCE named; CREATE TABLE texts (id bigint PRIMARY KEY DEFAULT nextval('shop.named'::text), "
      "customer_id bigint"
      " NOT NULL); CREATE SEQUENCE hidden; CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS $$ "
      "BEGIN NEW.id :="
      " nextval('shop.hidden'); RETURN NEW; END $$; CREATE FUNCTION next_id() RETURNS bigint LANGUAGE sql AS "
      "$$ SELECT"
      " nextval('shop.hidden') $$; CREATE TABLE coded (id bigint PRIMARY KEY DEFAULT next_id(), customer_id "
      "bigint NOT NULL);"
      "CREATE TRIGGER number BEFORE INSERT ON coded FOR EACH ROW EXECUTE FUNCTION number();"
      "CREATE TABLE serials (id bigserial PRIMARY KEY, customer_id bigint NOT NULL);"
      "CREATE TABLE shared (id bigint PRIMARY KEY DEFAULT nextval('serials_id_seq'), customer_id bigint NOT "
      "NULL);"
      "CREATE TABLE outside (id bigint PRIMARY KEY DEFAULT nextval('serials_id_seq'))");
  auto const list = check({interleaved(table("small")), interleaved(table("blocks")),
                           interleaved(table("rounds")), interleaved(table("back")), table("texts"),
                           table("coded"), interleaved(table("serials")), table("shared")});
  expect_fail(list, "sequence_room", "shop.small_id_seq: column id (smallint) ends at 32767");
  expect_warn(list, "sequence_increment", "shop.blocks_id_seq: it steps by 50");
  expect_fail(list, "sequence_cycle", "shop.rounds_id_seq");
  expect_fail(list, "sequence_direction", "shop.down: it counts down");
  expect_warn(list, "sequence_owner", "shop.down");
  expect_fail(list, "sequence_by_text", "shop.texts.id");
  expect_fail(list, "sequence_in_code",
              "shop.coded.id: function shop.next_id takes ids from sequence shop.hidden");
  expect_fail(list, "sequence_in_code", "number on shop.coded");
  expect_fail(list, "sequence_shared", "shop.serials and shop.shared take ids from it");
  expect_warn(list, "sequence_shared", "shop.outside, which is not moved");
  expect_fail(list, "ids", "shop.shared: column id takes its values from sequence shop.serials_id_seq");
  expect_no_fail(check({interleaved(table("serials"))}), "sequence_room");
}

TEST_F(doctor_tables, rows_of_a_foreign_key_share_their_shard_key) {  // AS17
  make(
      "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, before bigint CONSTRAINT "
      "orders_before"
      " REFERENCES orders, UNIQUE (id, customer_id));"
      "CREATE TABLE items (id bigint PRIMARY KEY, customer_id bigint NOT NULL, order_id bigint CONSTRAINT "
      "items_order REFERENCES"
      " orders, CONSTRAINT items_both FOREIGN KEY (order_id, customer_id) REFERENCES orders (id, "
      "customer_id));"
      "INSERT INTO orders VALUES (1, 1, NULL), (2, 2, 2), (3, 3, NULL); INSERT INTO items VALUES (1, 1, 1)");
  auto const tables = std::vector{table("orders"), table("items")};
  auto list = check(tables);
  expect_pass(list, "foreign_key_rows", "orders_before");
  expect_pass(list, "foreign_key_rows", "items_order");
  EXPECT_THAT(listing(list, "foreign_key_rows"), Not(HasSubstr("items_both")));  // its columns say it
  make("UPDATE orders SET before = 1 WHERE id = 3");
  list = check(tables);
  expect_fail(list, "foreign_key_rows", "orders_before: a row of shop.orders has another shard key");
  auto dropping = tables;
  dropping[0].drop_foreign_keys = {"orders_before"};
  expect_no_fail(check(dropping), "foreign_key_rows");
}

TEST_F(doctor_tables, what_was_not_found_out_in_time_is_red) {  // AS17
  make(
      "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL);"
      "CREATE TABLE items (id bigint PRIMARY KEY, customer_id bigint NOT NULL, order_id bigint CONSTRAINT "
      "items_order REFERENCES"
      " orders)");
  auto const holder = must(connect({.node = "source", .conninfo = fleet_->source().conninfo(database_)}));
  must(holder->query({"BEGIN"}));
  must(holder->query({"LOCK TABLE shop.items IN ACCESS EXCLUSIVE MODE"}));
  options_.row_check_time = 100ms;
  options_.connect = [](node_definition const& node) {
    return connect({.node = node.name, .conninfo = node.conninfo});
  };
  auto list = must(run_preflight(migration(), {table("orders"), table("items")}, options_));
  expect_fail(list, "foreign_key_rows", "could not be checked: the query did not end within 100 ms");
  must(holder->query({"ROLLBACK"}));
  on_source("REVOKE shop_owner FROM engine");
  list = must(run_preflight(migration(), {table("orders"), table("items")}, options_));
  on_source("GRANT shop_owner TO engine");
  expect_fail(list, "foreign_key_rows", "could not be checked");
}

TEST_F(doctor_tables, foreign_keys_to_reference_tables_are_decided) {  // AS22
  make(
      "CREATE TABLE currencies (id bigint PRIMARY KEY); CREATE TABLE rates (id bigint PRIMARY KEY, currency "
      "bigint REFERENCES"
      " currencies); CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, currency "
      "bigint CONSTRAINT"
      " orders_currency REFERENCES currencies ON UPDATE CASCADE)");
  auto tables = std::vector{reference("currencies"), reference("rates"), table("orders")};
  auto list = check(tables);
  expect_fail(list, "reference_foreign_key",
              "orders_currency: from shop.orders to the reference table shop.currencies");
  expect_fail(list, "reference_foreign_key",
              "in the manifest of shop.orders: drop_foreign_key: \"orders_currency\"");
  expect_fail(list, "cascade", "ADD CONSTRAINT \"orders_currency\" FOREIGN KEY");
  expect_pass(list, "foreign_key", "rates_currency_fkey");
  tables[2].drop_foreign_keys = {"orders_currency"};
  expect_no_fail(check(tables), "reference_foreign_key");
}

TEST_F(doctor_tables, a_partitions_own_foreign_key_is_its_tables) {
  make(
      "CREATE TABLE customers (id bigint PRIMARY KEY, customer_id bigint NOT NULL); CREATE TABLE parted (id "
      "bigint, customer_id"
      " bigint NOT NULL, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE TABLE p0 PARTITION OF parted FOR "
      "VALUES FROM (0) TO"
      " (10); ALTER TABLE p0 ADD CONSTRAINT p0_customer FOREIGN KEY (id) REFERENCES customers");
  auto const list = check({table("customers"), table("parted")});
  expect_pass(list, "foreign_key", "p0_customer: both tables are on the same shard");
  EXPECT_THAT(listing(list, "foreign_key"), Not(HasSubstr("not moved")));
}

}  // namespace
}  // namespace shardway
