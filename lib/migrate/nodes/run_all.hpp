// Several statements in one round trip, as one outcome.
#pragma once

#include <span>
#include <vector>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::nodes {

/// Runs the statements in the transaction that is open, or that they open. Errors: of the first statement
/// that failed; of the connection. Cost: one round trip.
inline result<std::vector<rows>> run_all(session& node, std::span<statement const> statements) {
  BOOST_OUTCOME_TRY(auto answers, node.flush(statements));
  std::vector<rows> all;
  all.reserve(answers.size());
  for (auto& answer : answers) {
    if (!answer) return answer.error();
    all.push_back(std::move(answer).value());
  }
  return all;
}

}  // namespace migrate::nodes
}  // namespace v0
}  // namespace shardway
