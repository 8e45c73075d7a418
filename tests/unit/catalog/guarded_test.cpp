// A transaction of the controller, each of its steps failing in turn: an error that is not `in_doubt` means
// that nothing remains.
#include "lib/catalog/guarded.hpp"

#include <gtest/gtest.h>

#include "support/scripted_session.hpp"

namespace {

using namespace shardway;
using namespace shardway_test;

struct node_state {
  int written{};
};

std::map<std::string, std::size_t> run_once(planned_failure const& failing) {
  conversation said{failing};
  scripted_server<node_state> node{"source", said, {}};
  node.changes("shardway.engine_check",
               [](node_state&, statement const&) -> result<rows> { return rows_with({{""}}); });
  node.changes("INSERT", [](node_state& state, statement const&) -> result<rows> {
    ++state.written;
    return affecting(1);
  });
  scripted_session<node_state> link{node};
  auto const done = run_guarded(link, 1, {{.sql = "INSERT INTO a"}, {.sql = "INSERT INTO b"}});
  auto const written = node.committed().written;
  if (done) {
    EXPECT_EQ(written, 2);
  } else if (done.error().code() != error_code::in_doubt) {
    EXPECT_EQ(written, 0) << done.error().to_string();
  }
  EXPECT_EQ(done.has_value(), failing.number == 0);
  EXPECT_EQ(said.problems(), std::vector<std::string>{});
  if (!testing::Test::HasFailure()) return said.counts();
  ADD_FAILURE() << describe(failing) << describe(said);
  return {};
}

TEST(transaction_of_the_controller, tells_what_remains_whichever_step_fails) {
  fail_each_step({"XX000", "53200", "40001", "57P01", "SW006"}, run_once);
}

}  // namespace
