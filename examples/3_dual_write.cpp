// One order and its items in one transaction. The same code runs in every stage; the receipt says what was
// done.
//
//   3_dual_write "host=... dbname=..." <customer_id> <order_id>
//
// Needs the tables of examples/shopsphere's orders group: shop.orders (order_id, customer_id, ...) and
// shop.items (order_id, line, customer_id).
#include <cstdio>
#include <string>

#include "shardway/shardway.hpp"

namespace {

using namespace shardway;

result<write_receipt> place_order(client_session& session, std::int64_t customer, std::string const& order) {
  auto const customer_text = std::to_string(customer);
  return session.write("shop.orders", customer, [&](write_transaction& in) -> result<> {
    // May run again as a whole after a refusal or a deadlock: nothing outside the transaction is touched
    // here.
    BOOST_OUTCOME_TRYV(in.execute("shop.orders",
                                  "INSERT INTO shop.orders (order_id, customer_id) VALUES ($1, $2)",
                                  {order, customer_text}));
    BOOST_OUTCOME_TRYV(in.execute(
        "shop.items", "INSERT INTO shop.items (order_id, line, customer_id) VALUES ($1, 1, $2), ($1, 2, $2)",
        {order, customer_text}));
    return success();
  });
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4)
    return std::fprintf(stderr, "usage: 3_dual_write <conninfo of the source> <customer_id> <order_id>\n"), 2;
  auto app =
      client::open({.source = {.node = "source", .conninfo = arguments[1]}, .application = "3_dual_write"});
  if (!app) return std::fprintf(stderr, "%s\n", app.error().to_string().c_str()), 1;
  auto session = app.value().session();
  auto const done = place_order(session, std::stoll(arguments[2]), arguments[3]);
  if (!done) {
    // in_doubt is its own answer: look for the order before doing anything again.
    std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
    return done.error().code() == error_code::in_doubt ? 3 : 1;
  }
  auto const& receipt = done.value();
  std::printf("write %s: %s on %s, %lld rows, dual_write %s %s\n", receipt.id.to_string().c_str(),
              std::string(name(receipt.outcome)).c_str(), receipt.node.c_str(),
              static_cast<long long>(receipt.affected), std::string(name(receipt.dual_write)).c_str(),
              receipt.dual_write_reason.c_str());
  return 0;
}
