// The session token in an HTTP header: each response carries it, each request brings it back, whichever
// process serves it.
//
//   5_session_header "host=... dbname=..." <customer_id> <order_id>
#include <cstdio>
#include <map>
#include <string>

#include "shardway/shardway.hpp"

namespace {

using namespace shardway;
using headers =
    std::map<std::string, std::string>;  // of a request or a response, as a web framework gives them

constexpr char header_name[] = "Shardway-Session";
// Servers and proxies refuse header lines of more than 8 KB; what is longer is none of ours.
constexpr std::size_t header_bytes_max = 4096;

// A session for one request. The header comes from outside: whatever it holds, it satisfies nothing it should
// not and blocks nothing.
client_session session_of(client& app, headers const& request) {
  auto session = app.session();
  auto const sent = request.find(header_name);
  if (sent != request.end() && sent->second.size() <= header_bytes_max) session.adopt(sent->second);
  return session;
}

result<headers> put_note(client& app, headers const& request, std::int64_t customer,
                         std::string const& order) {
  auto session = session_of(app, request);
  BOOST_OUTCOME_TRYV(session.execute(
      "shop.orders", customer, "UPDATE shop.orders SET note = 'by header' WHERE order_id = $1", {order}));
  return headers{{header_name, session.token()}};
}

result<std::string> get_note(client& app, headers const& request, std::int64_t customer,
                             std::string const& order) {
  auto session = session_of(app, request);
  BOOST_OUTCOME_TRY(
      auto const seen,
      session.read("shop.orders", customer, "SELECT note FROM shop.orders WHERE order_id = $1", {order}));
  if (seen.returned.empty())
    return error{error_code::invalid_argument, "there is no such order; make one with 3_dual_write"};
  return std::string(seen.returned.text(0, 0)) + "\" from " + seen.node;
}

result<> run(char const* conninfo, std::int64_t customer, std::string const& order) {
  client_options const options{.source = {.node = "source", .conninfo = conninfo},
                               .application = "5_session_header"};
  BOOST_OUTCOME_TRY(auto app, client::open(options));
  BOOST_OUTCOME_TRY(auto const response, put_note(app, {}, customer, order));
  std::printf("%s: %s\n", header_name, response.at(header_name).c_str());
  for (auto const& request : {response, headers{{header_name, "cut;by=a.proxy"}}, headers{}}) {
    BOOST_OUTCOME_TRY(auto const note, get_note(app, request, customer, order));
    std::printf("note \"%s\n", note.c_str());
  }
  return success();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4)
    return std::fprintf(stderr,
                        "usage: 5_session_header <conninfo of the source> <customer_id> <order_id>\n"),
           2;
  auto const done = run(arguments[1], std::stoll(arguments[2]), arguments[3]);
  if (!done) return std::fprintf(stderr, "%s\n", done.error().to_string().c_str()), 1;
  return 0;
}
