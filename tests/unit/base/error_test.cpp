#include "shardway/base/error.hpp"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "shardway/base/ensure.hpp"
#include "shardway/base/result.hpp"
#include "shardway/base/sqlstate.hpp"

namespace shardway {
namespace {

TEST(error, every_code_has_its_own_name) {
  std::set<std::string_view> seen;
  for (auto const& row : error_table::rows) {
    EXPECT_TRUE(seen.insert(row.name).second) << row.name;
    EXPECT_EQ(name(row.code), row.name);
  }
  EXPECT_EQ(seen.size(), 38u);
  EXPECT_EQ(name(error_code::fence_closed), "fence_closed");
}

TEST(error, no_code_is_both_retryable_and_waiting_for_a_person) {
  for (auto const& row : error_table::rows) EXPECT_FALSE(row.retryable && row.person) << row.name;
}

TEST(error, a_write_in_doubt_is_never_retried) {
  EXPECT_FALSE(is_retryable(error_code::in_doubt));
  EXPECT_TRUE(needs_reconnect(error_code::in_doubt));
  EXPECT_TRUE(is_retryable(error_code::fence_closed));
  EXPECT_FALSE(needs_reconnect(error_code::fence_closed));
  EXPECT_TRUE(needs_operator(error_code::stream_broken));
}

TEST(error, to_string_is_one_line_without_server_text) {
  auto const plain = error{error_code::constraint_violation, "the row is refused"};
  auto const full = plain.at_node("shard3")
                        .with_hint("give another id")
                        .with_server("23505", "Key (email)=(a@b.c)")
                        .while_doing("insert");
  EXPECT_EQ(plain.to_string(), "constraint_violation: the row is refused");
  EXPECT_EQ(full.to_string(), "constraint_violation: insert: the row is refused (shard3); give another id");
  EXPECT_EQ(full.sqlstate(), "23505");
  EXPECT_EQ(full.server_detail(), "Key (email)=(a@b.c)");
  EXPECT_EQ(plain.node(), "") << "adding a fact makes a new value";
}

TEST(error, an_unknown_number_reads_as_internal) {
  EXPECT_EQ(name(static_cast<error_code>(9999)), "internal");
}

result<int> half(int value) {
  if (value % 2 != 0) return error{error_code::invalid_argument, "value is odd", "give an even one"};
  return value / 2;
}
result<int> quarter(int value) {
  BOOST_OUTCOME_TRY(auto once, half(value));
  return half(once);
}

TEST(result, passes_errors_on) {
  EXPECT_EQ(quarter(12).value(), 3);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().code(), error_code::invalid_argument);
}

TEST(sqlstate, known_states_have_their_code) {
  static_assert(code_of_sqlstate("SW001") == error_code::fence_closed);
  EXPECT_EQ(code_of_sqlstate("40001"), error_code::serialization_failure);
  EXPECT_EQ(code_of_sqlstate("40P01"), error_code::serialization_failure);
  EXPECT_EQ(code_of_sqlstate("23505"), error_code::constraint_violation);
  EXPECT_EQ(code_of_sqlstate("28P01"), error_code::authentication_failed);
  EXPECT_EQ(code_of_sqlstate("57P01"), error_code::connection_lost);
  EXPECT_EQ(code_of_sqlstate("57P03"), error_code::node_unreachable);
  EXPECT_EQ(code_of_sqlstate("SW002"), error_code::epoch_stale);
  EXPECT_EQ(code_of_sqlstate("SW003"), error_code::foreign_write_refused);
  EXPECT_EQ(code_of_sqlstate("SW004"), error_code::shard_key_change);
  EXPECT_EQ(code_of_sqlstate("SW005"), error_code::shard_key_mismatch);
  EXPECT_EQ(code_of_sqlstate("SW006"), error_code::not_leader);
}

TEST(sqlstate, every_other_text_is_an_sql_error) {
  for (auto const* state : {"55P03", "42601", "", "23", "235050", "00000", "SW007"})
    EXPECT_EQ(code_of_sqlstate(state), error_code::sql_error);
}

TEST(ensure, names_the_invariant_when_it_ends_the_program) {
  ensure(true, "I3: epochs only grow");
  EXPECT_DEATH(ensure(false, "I3: epochs only grow"), "I3: epochs only grow");
}

}  // namespace
}  // namespace shardway
