// A fleet whose tables are captured by triggers, and a partitioned one among them.
#pragma once

#include <gmock/gmock.h>
#include <pqxx/pqxx>

#include "client_fleet.hpp"
#include "lib/protocol/capture.hpp"
#include "shardway/client/pqxx_transaction.hpp"

namespace shardway_test {

class captured : public ::testing::Test {
 protected:
  static constexpr char more_schema[] =
      "CREATE TABLE shop.visits (visit_id bigint, customer_id bigint NOT NULL, page text, PRIMARY KEY "
      "(visit_id, customer_id)) PARTITION BY RANGE (visit_id);"
      "CREATE TABLE shop.visits_low PARTITION OF shop.visits FOR VALUES FROM (0) TO (1000000);"
      "CREATE TABLE shop.visits_high PARTITION OF shop.visits FOR VALUES FROM (1000000) TO (2000000);";

  static void SetUpTestSuite() {
    fleet_ = std::make_unique<client_fleet>(
        shardway::testing::cluster_options{.source_major = 13, .shard_major = 15, .shards = 2, .fast = true});
    auto& now = fleet_->current();
    now.tables.push_back(
        table_of("shop.visits", "shop", {"visit_id", "customer_id"},
                 {column("visit_id", "bigint"), column("customer_id", "bigint"), column("page", "text")}));
    now.tables.back().partitioned = true;
    for (auto* node : nodes())
      require(node->query(std::string("ALTER DATABASE postgres SET client_min_messages = warning;") +
                          more_schema));
    for (std::size_t i = 0; i < fleet_->servers().shard_count(); ++i)
      require(fleet_->servers().shard(i).query(shard_table_sql(now.tables.back(), "postgres")));
    // W12: a row trigger changes the row after RETURNING would have shown it. A cascade deletes items with
    // their order.
    require(source().query(
        "CREATE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE shop.orders SET "
        "note = note || '+' WHERE order_id = NEW.order_id; RETURN NULL; END $$;"
        "CREATE TRIGGER stamp AFTER INSERT ON shop.orders FOR EACH ROW WHEN (NEW.note = 'stamped') EXECUTE "
        "FUNCTION shop.stamp();"
        "ALTER TABLE shop.items ADD CONSTRAINT items_order FOREIGN KEY (order_id) REFERENCES shop.orders ON "
        "DELETE CASCADE;"
        "CREATE FUNCTION shop.add_order(bigint, bigint) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ "
        "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $2); INSERT INTO shop.items VALUES ($1, "
        "1, $2), ($1, 2, $2) $$"));
    capture_by(capture_kind::trigger);
  }
  static void TearDownTestSuite() { fleet_.reset(); }

  static std::vector<shardway::testing::server*> nodes() {
    std::vector<shardway::testing::server*> all{&source()};
    for (std::size_t i = 0; i < fleet_->servers().shard_count(); ++i)
      all.push_back(&fleet_->servers().shard(i));
    return all;
  }
  static shardway::testing::server& source() { return fleet_->servers().source(); }
  static shardway::testing::server& shard_of(std::int64_t key) {
    return fleet_->shard_of(slot_of(shard_key{key}));
  }
  static std::string at(shardway::testing::server& node, std::string const& sql) {
    return fleet_->on(node, sql);
  }

  /// Installs the triggers for this kind on every node and puts it into `current`.
  static void capture_by(capture_kind kind) {
    for (auto& table : fleet_->current().tables) {
      if (table.manifest.kind == table_kind::reference) continue;
      table.manifest.capture = kind;
      std::vector<std::string> const leaves =
          table.partitioned ? std::vector<std::string>{"shop.visits_high", "shop.visits_low"}
                            : std::vector<std::string>{};
      for (auto* node : nodes())
        require(node->query(
            capture_triggers_sql(table, node == &source() ? node_role::source : node_role::shard, leaves)));
    }
  }
  static void at_stage(stage at, capture_kind kind = capture_kind::trigger) {
    if (fleet_->current().tables.front().manifest.capture != kind) capture_by(kind);
    fleet_->set_mode(dual_write_mode::sync, 1000ms);
    fleet_->publish(at);
  }
  result<write_receipt> run(client_session& in, std::int64_t key,
                            std::function<void(pqxx::dbtransaction&)> const& code,
                            borrow_options const& borrow = {}) {
    return in_pqxx_transaction(in, "shop.orders", key, code, borrow);
  }
  /// "operation key,operation key" of a write's outbox rows in their order.
  static std::string outbox_of(write_receipt const& done) {
    return at(source(),
              "SELECT coalesce(string_agg(operation || ' ' || relation || ' ' || array_to_string(key_values, "
              "'/'), ',' ORDER BY ordinal DESC), '') FROM "
              "shardway.outbox WHERE write_id = '" +
                  done.id.to_string() + "'");
  }
  static std::string note_at(shardway::testing::server& node, std::int64_t order) {
    return at(node, "SELECT coalesce((SELECT note FROM shop.orders WHERE order_id = " + text(order) +
                        "), 'absent')");
  }
  static std::string insert_sql(std::int64_t order, std::int64_t customer, std::string const& note = "new") {
    return "INSERT INTO shop.orders (order_id, customer_id, note) VALUES (" + text(order) + ", " +
           text(customer) + ", '" + note + "')";
  }

  inline static std::unique_ptr<client_fleet> fleet_;
};

}  // namespace shardway_test
