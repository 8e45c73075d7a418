#include "fenced_transaction.hpp"

#include "shardway/protocol/fence.hpp"
#include "shardway/protocol/names.hpp"
#include "shardway/store/statement_name.hpp"
#include "shardway/write/statement_lexer.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using end_kind = attempt_end::kind_type;

error refused(std::string what, std::string hint) { return error{error_code::statement_refused, std::move(what), std::move(hint)}; }

}  // namespace

error fenced_transaction::fail(error why) {
  if (!failure_) failure_ = why;
  return why;
}

result<std::vector<result<rows>>> fenced_transaction::send(std::span<statement const> all) {
  auto answers = on_.link->flush(all, call_.deadline());
  if (!answers) return fail(answers.error());
  for (auto const& one : answers.value())
    if (!one) return fail(one.error());
  return answers;
}

// The xid comes in the same round trip, once: a COMMIT that is not answered is looked for by it.
result<rows> fenced_transaction::send_with_xid(statement const& one) {
  std::vector<statement> all{one};
  if (xid_.empty()) all.push_back(xid_statement());
  BOOST_OUTCOME_TRY(auto answers, send(all));
  if (xid_.empty() && answers[1].value().size() == 1) xid_ = answers[1].value().text(0, 0);
  return std::move(answers[0]);
}

result<> fenced_transaction::begin() {
  BOOST_OUTCOME_TRYV(send(call_.opening(target_, plan_)));
  return success();
}

result<void> fenced_transaction::check_table(std::string_view table) const {
  auto const* found = target_.current->find_table(table);
  if (!found) return error{error_code::unknown_table, "table " + std::string(table) + " is in no manifest of generation " +
      std::to_string(target_.current->number)};
  if (found->manifest.group == target_.group->name || target_.group->at == stage::observing) return success();
  return refused("table " + std::string(table) + " is in group " + found->manifest.group + ", and this transaction holds the fence of " +
      target_.group->name,
                 "write it in a transaction of its own group");
}

result<rows> fenced_transaction::execute(std::string_view table, std::string_view sql, std::vector<text_value> parameters) {
  BOOST_OUTCOME_TRYV(check_table(table));
  BOOST_OUTCOME_TRY(auto const framed, frame(target_, plan_, call_.context(target_), sql, std::move(parameters)));
  BOOST_OUTCOME_TRY(auto answer, send_with_xid(framed.what));
  auto given = unframe(framed, std::move(answer), call_.log());
  if (!given) return fail(given.error());
  return given;
}

result<rows> fenced_transaction::query(std::string_view sql, std::vector<text_value> parameters) {
  auto const lexed = lex_statement(sql);
  if (lexed.kind != statement_kind::select && lexed.kind != statement_kind::locking_select)
    return refused("a query of a write transaction: only a SELECT is allowed here", "send changes with `execute`");
  // A function that it calls may write.
  return send_with_xid({.sql = std::string(sql), .parameters = std::move(parameters), .name = statement_name(sql)});
}

result<> fenced_transaction::savepoint(std::string_view name) {
  statement const one{.sql = "SAVEPOINT " + names::quoted(name)};
  BOOST_OUTCOME_TRYV(send({&one, 1}));
  marks_[std::string(name)] = {call_.log().changes.size(), call_.log().affected};
  return success();
}

// What was captured since goes with its outbox rows. The fence is read again: a lock taken after the savepoint is given back (W28).
result<> fenced_transaction::rollback_to(std::string_view name) {
  auto const found = marks_.find(name);
  if (found == marks_.end()) return error{error_code::invalid_argument, "going back to a savepoint that this transaction has not set"};
  if (failure_ && needs_reconnect(failure_->code())) return *failure_;
  failure_.reset();
  std::vector<statement> all{{.sql = "ROLLBACK TO SAVEPOINT " + names::quoted(name)}};
  if (plan_.fenced) all.push_back(fence_statement(target_.group->name, target_.slot, call_.expected(target_)));
  BOOST_OUTCOME_TRYV(send(all));
  call_.log().changes.erase(call_.log().changes.begin() + static_cast<std::ptrdiff_t>(found->second.changes), call_.log().changes.end());
  call_.log().affected = found->second.affected;
  return success();
}

namespace {

class transaction_attempt {
 public:
  transaction_attempt(fenced_call& call, write_target const& target, std::function<result<>(write_transaction&)> const& body)
      : call_(call), target_(target), plan_(plan_of(target)), body_(body) {}

  attempt_result run() {
    auto lent = call_.host().lend(target_.node, call_.deadline());
    if (!lent) return {.end = attempt_end{end_kind::failed, lent.error()}};
    fenced_transaction transaction{call_, target_, plan_, lent.value()};
    auto done = transaction.begin();
    if (done) done = body_(transaction);
    if (!done || transaction.failure()) return roll_back(lent.value(), transaction.failure() ? *transaction.failure() : done.error(), done);
    return commit(lent.value(), transaction);
  }

 private:
  // A failure that can be repeated decides, whatever the function made of it; else the function's own error is what the caller gets.
  attempt_result roll_back(lent_session const& on, error const& why, result<> const& body) {
    if (!on.link->is_broken()) (void)on.link->simple("ROLLBACK", call_.deadline());
    auto end = end_of(why);
    if (end.kind == end_kind::failed && !body) end.why = body.error();
    return {.end = std::move(end)};
  }

  attempt_result commit(lent_session const& on, fenced_transaction const& transaction) {
    statement const all[]{{.sql = "COMMIT"}, position_statement()};
    auto answers = on.link->flush(all, call_.deadline());
    if (!answers) {
      auto arrived = on.link->salvaged();
      if (arrived.empty()) return unanswered(on, transaction, answers.error());
      arrived.push_back(answers.error());
      return judge(on, transaction, arrived);
    }
    return judge(on, transaction, answers.value());
  }

  attempt_result judge(lent_session const& on, fenced_transaction const& transaction, std::vector<result<rows>> const& answers) {
    auto const outcome = outcome_of_commit(answers[0]);
    if (outcome.kind == commit_outcome_kind::in_doubt) return unanswered(on, transaction, *outcome.why);
    return call_.judge(target_, outcome, answers[1], on);
  }

  attempt_result unanswered(lent_session const& on, fenced_transaction const& transaction, error const& lost) {
    // Nothing was written by a transaction without an xid: whether it "committed" makes no difference.
    if (transaction.xid().empty() && call_.log().affected == 0) return {.end = attempt_end{end_kind::again, lost}};
    auto done = call_.resolve(target_, plan_, on, transaction.xid(), lost);
    done.answer_lost = false;  // the statements' answers had come before
    return done;
  }

  fenced_call& call_;
  write_target const& target_;
  write_plan plan_;
  std::function<result<>(write_transaction&)> const& body_;
};

}  // namespace

result<write_receipt> run_fenced(write_host& host, secondary_writer& secondary, write_address const& to,
                                 std::function<result<>(write_transaction&)> const& body, write_options const& options) {
  fenced_call call{host, secondary, to, options};
  return call.run([&](fenced_call& in, write_target const& target) { return transaction_attempt{in, target, body}.run(); });
}

}  // namespace v0
}  // namespace shardway
