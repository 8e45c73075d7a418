#include "lib/write/transaction_attempt.hpp"

#include "lib/write/fenced_transaction.hpp"
#include "lib/write/operation.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using end_kind = attempt_end::kind_type;

class transaction_attempt {
 public:
  transaction_attempt(fenced_call& call, call_target const& target,
                      std::function<result<>(write_transaction&)> const& body)
      : call_(call), target_(target), plan_(plan_of(target)), body_(body) {}

  attempt_result run() {
    if (auto known = operation_elsewhere(call_, target_)) return std::move(*known);
    auto lent = call_.host().lend(target_.node, call_.deadline());
    if (!lent) return failed_attempt(lent.error());
    fenced_transaction transaction{call_, target_, plan_, lent.value()};
    auto done = transaction.begin();
    if (transaction.is_repeat()) {
      end_transaction(lent.value());
      return operation_repeated(call_, target_, lent.value());
    }
    if (done) done = body_(transaction);
    if (done && !transaction.failure()) done = transaction.keep_lookups();
    if (done && !transaction.failure()) done = call_.check_stop();
    if (!done || transaction.failure()) return roll_back(lent.value(), transaction, done);
    return commit(lent.value(), transaction);
  }

 private:
  // A late cancel may end the first ROLLBACK.
  void end_transaction(lent_session const& lent) {
    for (int i = 0; i < 2 && !lent.link->is_broken() && lent.link->in_transaction(); ++i)
      (void)lent.link->simple("ROLLBACK", call_.deadline());
  }

  // A failure that can be repeated decides, whatever the function returned. Otherwise the caller gets the
  // function's own error.
  attempt_result roll_back(lent_session const& lent, fenced_transaction const& transaction,
                           result<> const& body) {
    end_transaction(lent);
    // If borrowed code ran the statement, only that code has seen its error.
    bool const body_decides =
        !transaction.failure() || (!body && transaction.failure()->code() == error_code::sql_error);
    auto end = end_of(body_decides ? body.error() : *transaction.failure());
    end.target = transaction.refused_target();
    if (end.kind == end_kind::failed && !body) end.why = body.error();
    return {.end = std::move(end)};
  }

  attempt_result commit(lent_session const& lent, fenced_transaction& transaction) {
    auto all = transaction.last_statements();
    auto const captured = all.size();
    if (auto const& operation = call_.operation())
      all.push_back(complete_operation_statement(operation->id, call_.log().affected));
    auto const commit_position = all.size();
    all.push_back({.sql = "COMMIT"});
    all.push_back(position_statement());
    auto answers = lent.link->flush(all, call_.deadline());
    if (!answers) {
      auto arrived = lent.link->salvaged();
      if (arrived.size() <= commit_position) {
        bool const is_captured_known =
            arrived.size() >= captured && transaction.take_captured(std::span{arrived}.first(captured));
        return unanswered(lent, transaction, answers.error(), is_captured_known);
      }
      arrived.push_back(answers.error());
      return judge(lent, transaction, captured, commit_position, arrived);
    }
    return judge(lent, transaction, captured, commit_position, answers.value());
  }

  attempt_result judge(lent_session const& lent, fenced_transaction& transaction, std::size_t captured_count,
                       std::size_t commit_position, std::vector<result<rows>> const& answers) {
    auto const outcome = outcome_of_commit(answers[commit_position]);
    auto const captured = transaction.take_captured(std::span{answers}.first(captured_count));
    if (outcome.kind == commit_outcome_kind::in_doubt)
      return unanswered(lent, transaction, *outcome.why, captured.has_value());
    // The first error is why the server rolled back.
    bool const is_rolled_back = outcome.kind == commit_outcome_kind::rolled_back;
    if (!captured && is_rolled_back) return {.end = end_of(captured.error())};
    if (is_rolled_back && commit_position > captured_count && !answers[captured_count])
      return {.end = end_of(answers[captured_count].error())};
    auto done = call_.judge(target_, outcome, answers[commit_position + 1], lent);
    done.answer_lost = !captured;
    if (call_.operation() && sweeps_operations(call_.id()))
      (void)lent.link->query(sweep_operations_statement(), call_.deadline());
    return done;
  }

  attempt_result unanswered(lent_session const& lent, fenced_transaction const& transaction,
                            error const& lost, bool is_captured_known) {
    // Nothing was written by a transaction without an xid: whether it "committed" makes no difference.
    if (transaction.xid().empty() && call_.log().affected == 0) return repeatable_attempt(lost);
    auto done = call_.doubted(call_.resolve(target_, plan_, lent, transaction.xid(), lost));
    done.answer_lost = !is_captured_known;  // the statements' own answers had come before
    return done;
  }

  fenced_call& call_;
  call_target const& target_;
  write_plan plan_;
  std::function<result<>(write_transaction&)> const& body_;
};

}  // namespace

attempt_result attempt_transaction(fenced_call& call, call_target const& target,
                                   std::function<result<>(write_transaction&)> const& body) {
  return transaction_attempt{call, target, body}.run();
}

attempt_result attempt_statement(fenced_call& call, call_target const& target, std::string_view sql,
                                 std::vector<text_value> const& parameters) {
  rows returned;
  std::function<result<>(write_transaction&)> const body = [&](write_transaction& transaction) -> result<> {
    BOOST_OUTCOME_TRY(returned, transaction.execute(target.table->manifest.table, sql, parameters));
    return success();
  };
  auto done = attempt_transaction(call, target, body);
  if (!done.end && !done.replayed) done.returned = std::move(returned);
  return done;
}

}  // namespace v0
}  // namespace shardway
