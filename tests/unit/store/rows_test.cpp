#include <gtest/gtest.h>

#include "shardway/store/session.hpp"

namespace shardway {
namespace {

rows two_rows() {
  return rows{{{"id", 20}, {"note", 25}}, 2, {"1", std::nullopt, "-9223372036854775808", "t"}, 2};
}

TEST(Rows, NullIsNotTheEmptyText) {
  auto const sample = two_rows();
  EXPECT_EQ(sample.at(0, 1), std::nullopt);
  EXPECT_EQ(sample.text(0, 1), "");
  EXPECT_EQ(sample.at(1, 1), "t");
}

TEST(Rows, ColumnsAreFoundByName) {
  EXPECT_EQ(two_rows().find("note"), 1U);
  EXPECT_EQ(two_rows().find("NOTE"), std::nullopt);
}

TEST(Rows, IntegerRefusesWhatIsNone) {
  auto const sample = rows{{{"n", 25}}, 4, {"12x", "", std::nullopt, "9223372036854775808"}, 4};
  for (std::size_t row = 0; row < sample.size(); ++row) {
    auto const number = sample.integer(row, 0);
    ASSERT_FALSE(number) << row;
    EXPECT_EQ(number.error().code(), error_code::protocol_violation);
  }
  EXPECT_EQ(two_rows().integer(1, 0).value(), INT64_MIN);
}

TEST(Rows, OnlyTIsTrue) {
  EXPECT_TRUE(two_rows().boolean(1, 1));
  EXPECT_FALSE(two_rows().boolean(0, 1));
  EXPECT_FALSE(two_rows().boolean(0, 0));
}

TEST(CommitOutcome, RollbackTagIsNotACommit) {
  auto const answer = [](char const* tag, bool cancelled) {
    return result<rows>{rows{}.with_command(tag, cancelled)};
  };
  EXPECT_EQ(outcome_of_commit(answer("COMMIT", false)).kind, commit_outcome_kind::committed);
  EXPECT_EQ(outcome_of_commit(answer("COMMIT", true)).kind, commit_outcome_kind::committed_locally);
  EXPECT_EQ(outcome_of_commit(answer("ROLLBACK", false)).kind, commit_outcome_kind::rolled_back);
}

TEST(CommitOutcome, OnlyAnErrorThatTheSessionSurvivesIsARollback) {
  EXPECT_EQ(outcome_of_commit(error{error_code::constraint_violation, "deferred"}).kind,
            commit_outcome_kind::rolled_back);
  EXPECT_EQ(outcome_of_commit(error{error_code::connection_lost, "cut"}).kind, commit_outcome_kind::in_doubt);
  EXPECT_EQ(outcome_of_commit(error{error_code::deadline_exceeded, "late"}).kind,
            commit_outcome_kind::in_doubt);
}

}  // namespace
}  // namespace shardway
