#include "lib/catalog/guarded.hpp"

#include "lib/protocol/progress.hpp"

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

result<std::vector<rows>> unwrap(std::vector<result<rows>>& answers, std::size_t first, std::size_t count) {
  std::vector<rows> out;
  out.reserve(count);
  for (std::size_t i = first; i < first + count; ++i) {
    if (!answers[i]) return answers[i].error();
    out.push_back(std::move(answers[i]).value());
  }
  return out;
}

result<std::vector<rows>> join(session& node, std::vector<statement> const& statements) {
  BOOST_OUTCOME_TRY(auto answers, node.flush(statements));
  return unwrap(answers, 0, answers.size());
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

// What was opened must not stay open: an error before COMMIT leaves the server waiting only if the flush
// itself broke off.
result<std::vector<rows>> run_framed(session& node, std::vector<statement> statements, std::size_t lead) {
  statements.push_back(statement{"COMMIT"});
  auto flushed = node.flush(statements);
  if (!flushed) {
    if (node.is_broken() && needs_reconnect(flushed.error().code()))
      return commit_error(outcome_of_broken_flush(flushed.error()));
    return flushed.error();
  }
  auto& answers = flushed.value();
  if (auto const why = begin_error(node, answers.front())) return *why;
  for (std::size_t i = 0; i + 1 < answers.size(); ++i)
    if (!answers[i]) return answers[i].error();
  if (auto const outcome = outcome_of_commit(answers.back()); !outcome.is_committed())
    return commit_error(outcome);
  return unwrap(answers, lead, answers.size() - lead - 1);
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
  return node.simple("SELECT shardway.engine_check(" + std::to_string(token) +
                     ", 'controller');\nSET LOCAL lock_timeout = " + std::to_string(lock_timeout.count()) +
                     ";\n" + std::string(sql));
}

}  // namespace v0
}  // namespace shardway
