// Calls that return at once.
#include "shardway/client/async.hpp"

#include <thread>

#include <gmock/gmock.h>

#include "client_fleet.hpp"
#include "shardway/testing/fault_proxy.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;

class async_calls : public ::testing::Test {
 protected:
  static client_fleet& fleet() {
    static client_fleet one;
    return one;
  }
  static async_call insert(std::int64_t key) {
    return {.table = "shop.orders",
            .key = key,
            .sql = "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $1)",
            .parameters = {text(key)}};
  }
  static async_call count(std::int64_t key) {
    return {.table = "shop.orders",
            .key = key,
            .sql = "SELECT count(*) FROM shop.orders WHERE customer_id = $1",
            .parameters = {text(key)}};
  }
};

TEST_F(async_calls, many_writes_run_at_once_and_their_tokens_are_read_by_the_next) {
  fleet().publish(stage::dual_writing);
  auto service = fleet().open();
  std::vector<std::int64_t> keys;
  std::vector<std::future<result<async_receipt>>> writes;
  for (int i = 0; i < 50; ++i)
    writes.push_back(async_execute(service, insert(keys.emplace_back(fresh_key()))));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto const wrote = value_of(writes[i].get());
    EXPECT_EQ(wrote.receipt.affected, 1);
    auto what = count(keys[i]);
    what.token = wrote.token;
    EXPECT_EQ(value_of(async_read(service, what).get()).answer.returned.text(0, 0), "1");
  }
}

TEST_F(async_calls, an_error_comes_through_the_future) {
  auto service = fleet().open();
  auto wrong = insert(fresh_key());
  wrong.table = "shop.none";
  auto const refused = async_execute(service, wrong).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), error_code::unknown_table);
}

TEST_F(async_calls, a_full_queue_refuses_and_a_closed_client_gives_up_what_waits) {
  fleet().publish(stage::observing);
  auto proxy = value_of(shardway::testing::fault_proxy::open(fleet().servers().source().port()));
  auto options = fleet().options();
  options.nodes.push_back({.node = "source", .conninfo = proxy->conninfo()});
  options.connections_max = 1;
  options.async_queue_max = 2;
  auto service = value_of(client::open(std::move(options)));
  require(async_execute(service, insert(fresh_key())).get());
  proxy->stall();
  std::vector<std::future<result<async_receipt>>> calls;
  calls.push_back(async_execute(service, insert(fresh_key()), {.deadline = 4000ms}));
  std::this_thread::sleep_for(300ms);  // until it runs: calls that wait for a thread are counted separately
  for (int i = 0; i < 3; ++i) calls.push_back(async_execute(service, insert(fresh_key())));
  auto const refused = calls[3].get();
  ASSERT_FALSE(refused) << "one runs and two wait";
  EXPECT_EQ(refused.error().code(), error_code::deadline_exceeded);
  service.close();
  EXPECT_FALSE(calls[0].get());
  for (int i : {1, 2}) EXPECT_EQ(calls[i].get().error().code(), error_code::cancelled);
  EXPECT_EQ(async_execute(service, insert(fresh_key())).get().error().code(), error_code::cancelled);
}

}  // namespace
