// A user writes in one request and reads in the next, which another process serves. The token travels with
// the user, not with the connection.
//
//   4_read_your_writes "host=... dbname=..." <customer_id> <order_id>
#include <cstdio>
#include <string>

#include "shardway/shardway.hpp"

namespace {

using namespace shardway;

client_options options_for(char const* conninfo) {
  return {.source = {.node = "source", .conninfo = conninfo}, .application = "4_read_your_writes"};
}

// The first request: returns what goes back to the user beside the page, for instance in a header.
result<std::string> change_note(client& app, std::int64_t customer, std::string const& order) {
  auto session = app.session();
  BOOST_OUTCOME_TRYV(session.execute("shop.orders", customer,
                                     "UPDATE shop.orders SET note = 'read me' WHERE order_id = $1", {order}));
  return session.token();
}

// The second request, perhaps on another machine.
result<read_answer> show_note(client& app, std::int64_t customer, std::string const& order,
                              std::string const& token) {
  auto session = app.session();
  session.adopt(token);
  return session.read("shop.orders", customer, "SELECT note FROM shop.orders WHERE order_id = $1", {order});
}

result<> run(char const* conninfo, std::int64_t customer, std::string const& order) {
  BOOST_OUTCOME_TRY(auto first, client::open(options_for(conninfo)));
  BOOST_OUTCOME_TRY(auto second, client::open(options_for(conninfo)));
  BOOST_OUTCOME_TRY(auto const token, change_note(first, customer, order));
  BOOST_OUTCOME_TRY(auto const seen, show_note(second, customer, order, token));
  if (seen.returned.empty())
    return error{error_code::invalid_argument, "there is no such order; make one with 3_dual_write"};
  std::printf("token %s\nnote \"%s\" from %s after %lld us of waiting\n", token.c_str(),
              std::string(seen.returned.text(0, 0)).c_str(), seen.node.c_str(),
              static_cast<long long>(seen.waited.count()));
  return success();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4)
    return std::fprintf(stderr,
                        "usage: 4_read_your_writes <conninfo of the source> <customer_id> <order_id>\n"),
           2;
  auto const done = run(arguments[1], std::stoll(arguments[2]), arguments[3]);
  if (!done) return std::fprintf(stderr, "%s\n", done.error().to_string().c_str()), 1;
  return 0;
}
