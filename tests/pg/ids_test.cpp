// Ids from leased blocks, and ids that carry their slot, during a whole migration: copy, dual writing, waves
// and rollback.
#include <set>

#include "migration_fixture.hpp"
#include "shardway/route/slot_in_id.hpp"

namespace shardway_test {
namespace {

class ids : public migration_fixture {
 protected:
  void start_with_ids() {
    start();
    run_on(
        fleet_->source(),
        "SET ROLE shop_owner; CREATE TABLE shop.events (id bigint PRIMARY KEY, customer_id bigint NOT NULL); "
        "GRANT SELECT, INSERT, UPDATE, DELETE ON shop.events TO app; RESET ROLE");
    require(apply_manifests(options_, {with(table("shop.orders", {"id"}), id_strategy_kind::leased),
                                       table("shop.items", {"order_id", "line"}),
                                       with(table("shop.events", {"id"}), id_strategy_kind::slot)}));
  }
  static table_manifest with(table_manifest made, id_strategy_kind strategy) {
    made.ids = strategy;
    made.id_block = 50;
    return made;
  }
  // If a wave exceeded its budget and was undone, runs it again.
  void insist(std::string const& kind, std::string const& arguments) {
    auto answer = ask(kind, arguments);
    for (int i = 0; i < 10 && answer.state != request_state::done; ++i) {
      std::this_thread::sleep_for(300ms);
      answer = ask(kind, arguments);
    }
    done(answer);
  }
  client service(std::string const& name) {
    return value_of(
        client::open({.source = {.node = "source", .conninfo = address(fleet_->source()) + " user=app"},
                      .application = name}));
  }
};

// A service that makes ids and rows until it is stopped.
class id_writer {
 public:
  explicit id_writer(client app)
      : app_(std::move(app)), thread_([this](std::stop_token stop) { work(stop); }) {}
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  std::vector<std::int64_t> orders, events;  ///< acknowledged
  std::string failure;
  client& app() { return app_; }

 private:
  void work(std::stop_token stop) {
    auto session = app_.session();
    for (std::int64_t i = 0; !stop.stop_requested() && failure.empty(); ++i) {
      auto const customer = i % 200;
      one(session, "shop.orders", customer, orders);
      one(session, "shop.events", customer, events);
      std::this_thread::sleep_for(10ms);
    }
  }
  void one(client_session& session, std::string const& table, std::int64_t customer,
           std::vector<std::int64_t>& made) {
    auto source = app_.ids(table);
    auto const id = source ? source.value().next(customer) : result<std::int64_t>{source.error()};
    if (!id) return fail(id.error());
    auto const done = session.insert(
        table, {{"id", std::to_string(id.value())}, {"customer_id", std::to_string(customer)}});
    if (!done) return fail(done.error());
    made.push_back(id.value());
  }
  void fail(error const& why) {
    if (failure.empty()) failure = why.to_string() + " " + why.server_detail();
  }
  client app_;
  std::jthread thread_;
};

TEST_F(ids, no_id_is_given_twice_through_copy_waves_and_rollback) {  // X10
  start_with_ids();
  controller_process controller(file_);
  {
    auto app = service("early");
    EXPECT_EQ(value_of(app.ids("shop.orders")).next().error().code(), error_code::precondition_failed);
    EXPECT_EQ(app.ids("shop.items").error().code(), error_code::invalid_argument);
    EXPECT_EQ(app.ids("shop.nothing").error().code(), error_code::unknown_table);
    EXPECT_EQ(app.route_of_id("shop.orders", 5000).error().code(), error_code::invalid_argument);
  }
  auto const advancing =
      value_of(enqueue_request(*catalog_, "advance", R"({"group": "sales", "to": "dual_writing"})"));
  for (int i = 0; i < 2000 && on_source("SELECT count(*) FROM shardway.id_block") != "2"; ++i)
    std::this_thread::sleep_for(10ms);
  auto const first_block =
      std::stoll(on_source("SELECT next_id FROM shardway.id_block WHERE relation = 'shop.orders'"));
  EXPECT_GT(first_block, 3000) << "above every id there was";
  std::vector<std::unique_ptr<id_writer>> writers;
  for (int i = 0; i < 3; ++i)
    writers.push_back(std::make_unique<id_writer>(service("writer" + std::to_string(i))));
  done(value_of(wait_for_request(*catalog_, advancing, std::chrono::steady_clock::now() + 60s)));
  done(ask("guard", R"({"group": "sales", "mode": "refusing"})"));
  done(ask("verify", R"({"group": "sales"})"));
  insist("wave", R"({"group": "sales", "approved_by": "test", "percent": 100})");
  auto& app = writers[0]->app();
  require(app.refresh());
  for (std::int64_t customer = 0; customer < 20; ++customer) {
    auto const id = value_of(value_of(app.ids("shop.events")).next(customer));
    auto const by_id = value_of(app.route_of_id("shop.events", id)),
               by_key = value_of(app.route_of("shop.events", customer));
    EXPECT_EQ(slot_in_id(id), by_key.slot);
    EXPECT_EQ(by_id.node, by_key.node);
    EXPECT_FALSE(by_id.node.is_source());
  }
  std::this_thread::sleep_for(300ms);
  insist("rollback", R"({"group": "sales", "approved_by": "test"})");
  std::this_thread::sleep_for(300ms);
  std::multiset<std::int64_t> orders, events;
  for (auto& one : writers) {
    one->stop();
    EXPECT_EQ(one->failure, "");
    orders.insert(one->orders.begin(), one->orders.end());
    events.insert(one->events.begin(), one->events.end());
  }
  EXPECT_GT(orders.size(), 30U);
  EXPECT_EQ(std::set(orders.begin(), orders.end()).size(), orders.size());
  EXPECT_EQ(std::set(events.begin(), events.end()).size(), events.size());
  EXPECT_GE(*orders.begin(), first_block);
  EXPECT_EQ(on_source("SELECT count(*) FROM shop.orders"), std::to_string(3000 + orders.size()));
  EXPECT_EQ(on_source("SELECT count(*) FROM shop.events"), std::to_string(events.size()));
  EXPECT_EQ(on_source("SELECT count(*) FROM shop.events WHERE (id & 4095) <> shardway.slot_of(customer_id)"),
            "0");
}

TEST_F(ids, a_table_whose_rows_carry_no_slot_cannot_have_the_strategy) {
  start();
  require(apply_manifests(options_, {with(table("shop.orders", {"id"}), id_strategy_kind::slot),
                                     table("shop.items", {"order_id", "line"})}));
  controller_process controller(file_);
  auto const refused = ask("advance", R"({"group": "sales", "to": "copying"})");
  EXPECT_EQ(refused.state, request_state::failed);
  EXPECT_EQ(refused.error_code, "precondition_failed") << refused.error_message;
  EXPECT_EQ(on_source("SELECT count(*) FROM shardway.id_block"), "0");
}

}  // namespace
}  // namespace shardway_test
