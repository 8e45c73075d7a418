#include "lib/catalog/guarded.hpp"

#include <span>

#include "absl/strings/str_cat.h"
#include "lib/protocol/progress.hpp"
#include "lib/store/first_error.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error commit_error(commit_outcome const& outcome) {
  auto why = outcome.why.value_or(error{error_code::internal, "COMMIT gave no reason"});
  if (outcome.kind != commit_outcome_kind::in_doubt) return why.while_doing("committing");
  return error{error_code::in_doubt,
               "the connection broke at COMMIT: whether the transaction remains is not known",
               "read the state again before repeating"}
      .at_node(why.node());
}

// Preconditions: none of them is an error.
std::vector<rows> values_of(std::span<result<rows>> answers) {
  std::vector<rows> values;
  values.reserve(answers.size());
  for (auto& answer : answers) values.push_back(std::move(answer).value());
  return values;
}

result<std::vector<rows>> join(session& node, std::vector<statement> const& statements) {
  BOOST_OUTCOME_TRY(auto answers, node.flush(statements));
  BOOST_OUTCOME_TRYV(first_error(answers));
  return values_of(answers);
}

// Where BEGIN alone failed, each statement after it has stood alone and may have committed by itself.
std::optional<error> begin_error(session const& node, result<rows> const& begun) {
  if (begun) return std::nullopt;
  return error{error_code::in_doubt,
               "BEGIN failed, so what followed it may have been written: " + begun.error().message(),
               "read the state again before repeating"}
      .at_node(node.identity().name)
      .with_server(begun.error().sqlstate(), begun.error().server_detail());
}

// The first `opening_count` statements are ours: their answers are not returned. What was opened does not
// stay open: an error before COMMIT leaves the server waiting only if the flush itself broke off.
result<std::vector<rows>> run_framed(session& node, std::vector<statement> statements,
                                     std::size_t opening_count) {
  statements.push_back(statement{"COMMIT"});
  auto flushed = node.flush(statements);
  if (!flushed) {
    if (node.is_broken() && needs_reconnect(flushed.error().code()))
      return commit_error(outcome_of_broken_flush(flushed.error()));
    return flushed.error();
  }
  std::span<result<rows>> const answers{flushed.value()};
  if (auto const why = begin_error(node, answers.front())) return *why;
  auto const before_commit = answers.first(answers.size() - 1);
  BOOST_OUTCOME_TRYV(first_error(before_commit));
  if (auto const outcome = outcome_of_commit(answers.back()); !outcome.is_committed())
    return commit_error(outcome);
  return values_of(before_commit.subspan(opening_count));
}

}  // namespace

result<std::vector<rows>> run_guarded(session& node, std::int64_t token, std::vector<statement> statements) {
  if (node.in_transaction()) return join(node, statements);
  statements.insert(statements.begin(), {statement{"BEGIN ISOLATION LEVEL READ COMMITTED"},
                                         engine_check_statement(token, "controller")});
  return run_framed(node, std::move(statements), 2);
}

result<std::vector<rows>> run_transaction(session& node, std::vector<statement> statements) {
  if (node.in_transaction()) return join(node, statements);
  statements.insert(statements.begin(), statement{"BEGIN ISOLATION LEVEL READ COMMITTED"});
  return run_framed(node, std::move(statements), 1);
}

// Several statements in one Query message are one transaction; no BEGIN, so that an error leaves none open.
result<rows> run_guarded_text(session& node, std::int64_t token, std::string_view sql,
                              std::chrono::milliseconds lock_timeout) {
  return node.simple(absl::StrCat("SELECT shardway.engine_check(", token, ", 'controller');\n",
                                  "SET LOCAL lock_timeout = ", lock_timeout.count(), ";\n",
                                  std::string(sql)));
}

}  // namespace v0
}  // namespace shardway
