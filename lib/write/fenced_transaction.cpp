#include "lib/write/fenced_transaction.hpp"

#include <algorithm>

#include "lib/protocol/fence.hpp"
#include "lib/protocol/names.hpp"
#include "lib/sql/statement_lexer.hpp"
#include "lib/store/statement_name.hpp"
#include "lib/store/stop_guard.hpp"
#include "lib/write/batch.hpp"
#include "lib/write/lookup_keeper.hpp"
#include "lib/write/operation.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using end_kind = attempt_end::kind_type;

error refused(std::string what, std::string hint) {
  return error{error_code::statement_refused, std::move(what), std::move(hint)};
}

}  // namespace

error fenced_transaction::fail(error why) {
  if (!failure_) failure_ = why;
  return why;
}

result<std::vector<result<rows>>> fenced_transaction::send(std::span<statement const> all) {
  if (auto const going = call_.check_stop(); !going) return fail(going.error());
  auto answers = [&] {
    stop_guard const guard{call_.options().cancel, *on_.link};
    return on_.link->flush(all, call_.deadline());
  }();
  if (auto const going = call_.check_stop(); !going) return fail(going.error());
  if (!answers) return fail(answers.error());
  for (auto const& one : answers.value())
    if (!one) return fail(one.error());
  return answers;
}

// The xid comes in the same round trip, once: a COMMIT that is not answered is looked for by it.
result<rows> fenced_transaction::send_with_xid(statement const& one) {
  auto all = std::exchange(pending_, {});
  auto const at = all.size();
  all.push_back(one);
  if (xid_.empty()) all.push_back(xid_statement());
  BOOST_OUTCOME_TRY(auto answers, send(all));
  if (xid_.empty() && answers[at + 1].value().size() == 1) xid_ = answers[at + 1].value().text(0, 0);
  return std::move(answers[at]);
}

result<> fenced_transaction::begin() {
  auto all = call_.opening(target_, plan_);
  announce(target_);
  for (auto& one : std::exchange(pending_, {})) all.push_back(std::move(one));
  auto const& operation = call_.operation();
  if (operation)
    for (auto& one : claim_operation_statements(operation->id, operation->digest, call_.id()))
      all.push_back(std::move(one));
  auto const passed = send(all);
  if (!passed) {
    is_repeat_ = operation && passed.error().sqlstate() == "23505";
    return passed.error();
  }
  if (operation && passed.value().back().value().affected() == 0)
    return fail(
        {error_code::protocol_violation,
         "the operation id could not be recorded: no transaction is open after BEGIN; nothing was written",
         "use a pooler in transaction mode or in session mode"});
  call_.settled();
  return success();
}

result<void> fenced_transaction::check_table(std::string_view table) const {
  auto const* found = target_.current->find_table(table);
  bool const observes = target_.group->stage == stage::observing;
  if (!found && observes) return success();
  if (!found)
    return error{error_code::unknown_table, "table " + std::string(table) +
                                                " is in no manifest of generation " +
                                                std::to_string(target_.current->number)};
  if (found->manifest.group == target_.group->name) return success();
  auto const* other = target_.current->find_group(found->manifest.group);
  if (observes && other && other->stage == stage::observing) return success();
  return refused("table " + std::string(table) + " is in group " + found->manifest.group +
                     ", and this transaction holds the fence of " + target_.group->name,
                 "write it in a transaction of its own group");
}

result<rows> fenced_transaction::execute(std::string_view table, std::string_view sql,
                                         std::vector<text_value> parameters) {
  call_.host().touches(table, nullptr, sql, parameters);
  BOOST_OUTCOME_TRYV(check_table(table));
  return change(target_, plan_, sql, std::move(parameters));
}

result<rows> fenced_transaction::execute_for(shard_key const& key, std::string_view table,
                                             std::string_view sql, std::vector<text_value> parameters) {
  call_.host().touches(table, &key, sql, parameters);
  BOOST_OUTCOME_TRY(auto const target, enter(table, key));
  return change(target, plan_of(target), sql, std::move(parameters));
}

result<> fenced_transaction::also(shard_key const& key) {
  call_.host().touches(target_.table->manifest.table, &key, {}, {});
  BOOST_OUTCOME_TRYV(enter(target_.table->manifest.table, key));
  return success();
}

// Authority of the first key can't move while this transaction lasts; a generation that says otherwise of the
// second is asked for anew once.
result<write_target> fenced_transaction::enter(std::string_view table, shard_key const& key) {
  BOOST_OUTCOME_TRYV(check_table(table));
  auto& host = call_.host();
  BOOST_OUTCOME_TRY(auto found, host.locate(table, key));
  if (found.node != target_.node) {
    (void)host.refresh(found.current->number, call_.deadline());
    BOOST_OUTCOME_TRY(found, host.locate(table, key));
  }
  if (found.node != target_.node) {
    std::vector<write_target> const both{target_, found};
    return crossing(table, both);
  }
  BOOST_OUTCOME_TRYV(pass_fence(found));
  return found;
}

result<void> fenced_transaction::pass_fence(write_target const& target) {
  auto const is_same = [&](write_target const& other) { return other.slot == target.slot; };
  if (is_same(target_) || std::any_of(others_.begin(), others_.end(), is_same)) return success();
  if (plan_.fenced) {
    statement const one = fence_statement(target.group->name, target.slot, call_.expected(target));
    auto const passed = send({&one, 1});
    if (!passed) {
      if (end_of(passed.error()).kind == end_kind::refused)
        refused_at_ = std::make_shared<write_target const>(target);
      return passed.error();
    }
  }
  bool const first_crossing = std::all_of(others_.begin(), others_.end(),
                                          [&](auto const& other) { return other.placed == target_.placed; });
  others_.push_back(target);
  if (target.node.is_source() && target.placed != target_.placed && first_crossing)
    call_.host().crosses_shards(target_);
  return success();
}

result<rows> fenced_transaction::change(write_target const& target, write_plan const& plan,
                                        std::string_view sql, std::vector<text_value> parameters) {
  if (is_captured_by_trigger(target, sql)) return change_raw(target, sql, std::move(parameters));
  announce(target);
  announce_raw(false);
  BOOST_OUTCOME_TRY(auto const framed,
                    frame(target, plan, call_.context(target), sql, std::move(parameters)));
  BOOST_OUTCOME_TRY(auto answer, send_with_xid(framed.what));
  auto given = unframe(framed, std::move(answer), call_.log());
  if (!given) return fail(given.error());
  return given;
}

result<rows> fenced_transaction::query(std::string_view sql, std::vector<text_value> parameters) {
  auto const lexed = lex_statement(sql);
  if (lexed.kind != statement_kind::select && lexed.kind != statement_kind::locking_select)
    return refused("a query of a write transaction: only a SELECT is allowed here",
                   "send changes with `execute`");
  call_.host().touches({}, nullptr, sql, parameters);
  // A function that it calls may write.
  announce(target_);
  announce_raw(true);
  return send_with_xid(
      {.sql = std::string(sql), .parameters = std::move(parameters), .name = statement_name(sql)});
}

result<> fenced_transaction::keep_lookups() {
  if (call_.log().lookups.empty()) return success();
  auto kept = shardway::keep_lookups(call_, target_, on_);
  if (!kept) return fail(kept.error());
  return kept;
}

result<> fenced_transaction::savepoint(std::string_view name) {
  statement const one{.sql = "SAVEPOINT " + names::quoted(name)};
  BOOST_OUTCOME_TRYV(send({&one, 1}));
  marks_[std::string(name)] = {call_.log().changes.size(), call_.log().affected, call_.log().lookups.size()};
  return success();
}

// What was captured since goes with its outbox rows. The fence is read again: a lock taken after the
// savepoint is given back (W28).
result<> fenced_transaction::rollback_to(std::string_view name) {
  auto const found = marks_.find(name);
  if (found == marks_.end())
    return error{error_code::invalid_argument, "going back to a savepoint that this transaction has not set"};
  if (failure_ && needs_reconnect(failure_->code())) return *failure_;
  failure_.reset();
  forget_announced();
  std::vector<statement> all{{.sql = "ROLLBACK TO SAVEPOINT " + names::quoted(name)}};
  if (plan_.fenced)
    all.push_back(fence_statement(target_.group->name, target_.slot, call_.expected(target_)));
  for (auto const& other : others_)
    if (plan_.fenced) all.push_back(fence_statement(other.group->name, other.slot, call_.expected(other)));
  BOOST_OUTCOME_TRYV(send(all));
  call_.log().changes.erase(call_.log().changes.begin() + static_cast<std::ptrdiff_t>(found->second.changes),
                            call_.log().changes.end());
  call_.log().lookups.resize(found->second.lookups);
  call_.log().affected = found->second.affected;
  return success();
}

namespace {

class transaction_attempt {
 public:
  transaction_attempt(fenced_call& call, write_target const& target,
                      std::function<result<>(write_transaction&)> const& body)
      : call_(call), target_(target), plan_(plan_of(target)), body_(body) {}

  attempt_result run() {
    if (auto known = operation_elsewhere(call_, target_)) return std::move(*known);
    auto lent = call_.host().lend(target_.node, call_.deadline());
    if (!lent) return {.end = attempt_end{end_kind::failed, lent.error()}};
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
  // A cancel that came late may end the first ROLLBACK.
  void end_transaction(lent_session const& on) {
    for (int i = 0; i < 2 && !on.link->is_broken() && on.link->in_transaction(); ++i)
      (void)on.link->simple("ROLLBACK", call_.deadline());
  }

  // A failure that can be repeated decides, whatever the function made of it; else the function's own error
  // is what the caller gets.
  attempt_result roll_back(lent_session const& on, fenced_transaction const& transaction,
                           result<> const& body) {
    end_transaction(on);
    // Of a statement of borrowed code only the code itself has seen the error.
    bool const is_told_by_body =
        !transaction.failure() || (!body && transaction.failure()->code() == error_code::sql_error);
    auto end = end_of(is_told_by_body ? body.error() : *transaction.failure());
    end.target = transaction.refused_at();
    if (end.kind == end_kind::failed && !body) end.why = body.error();
    return {.end = std::move(end)};
  }

  attempt_result commit(lent_session const& on, fenced_transaction& transaction) {
    auto all = transaction.last_statements();
    auto const captured = all.size();
    if (auto const& operation = call_.operation())
      all.push_back(complete_operation_statement(operation->id, call_.log().affected));
    auto const commit_at = all.size();
    all.push_back({.sql = "COMMIT"});
    all.push_back(position_statement());
    auto answers = on.link->flush(all, call_.deadline());
    if (!answers) {
      auto arrived = on.link->salvaged();
      if (arrived.size() <= commit_at) {
        bool const is_captured_known =
            arrived.size() >= captured && transaction.take_captured(std::span{arrived}.first(captured));
        return unanswered(on, transaction, answers.error(), is_captured_known);
      }
      arrived.push_back(answers.error());
      return judge(on, transaction, captured, commit_at, arrived);
    }
    return judge(on, transaction, captured, commit_at, answers.value());
  }

  attempt_result judge(lent_session const& on, fenced_transaction& transaction, std::size_t captured_count,
                       std::size_t commit_at, std::vector<result<rows>> const& answers) {
    auto const outcome = outcome_of_commit(answers[commit_at]);
    auto const captured = transaction.take_captured(std::span{answers}.first(captured_count));
    if (outcome.kind == commit_outcome_kind::in_doubt)
      return unanswered(on, transaction, *outcome.why, captured.has_value());
    // The first error is why the server rolled back.
    bool const is_rolled_back = outcome.kind == commit_outcome_kind::rolled_back;
    if (!captured && is_rolled_back) return {.end = end_of(captured.error())};
    if (is_rolled_back && commit_at > captured_count && !answers[captured_count])
      return {.end = end_of(answers[captured_count].error())};
    auto done = call_.judge(target_, outcome, answers[commit_at + 1], on);
    done.answer_lost = !captured;
    if (call_.operation() && sweeps_operations(call_.id()))
      (void)on.link->query(sweep_operations_statement(), call_.deadline());
    return done;
  }

  attempt_result unanswered(lent_session const& on, fenced_transaction const& transaction, error const& lost,
                            bool is_captured_known) {
    // Nothing was written by a transaction without an xid: whether it "committed" makes no difference.
    if (transaction.xid().empty() && call_.log().affected == 0)
      return {.end = attempt_end{end_kind::again, lost}};
    auto done = call_.doubted(call_.resolve(target_, plan_, on, transaction.xid(), lost));
    done.answer_lost = !is_captured_known;  // the statements' own answers had come before
    return done;
  }

  fenced_call& call_;
  write_target const& target_;
  write_plan plan_;
  std::function<result<>(write_transaction&)> const& body_;
};

}  // namespace

attempt_result attempt_transaction(fenced_call& call, write_target const& target,
                                   std::function<result<>(write_transaction&)> const& body) {
  return transaction_attempt{call, target, body}.run();
}

attempt_result attempt_statement(fenced_call& call, write_target const& target, std::string_view sql,
                                 std::vector<text_value> const& parameters) {
  rows returned;
  std::function<result<>(write_transaction&)> const body = [&](write_transaction& in) -> result<> {
    BOOST_OUTCOME_TRY(returned, in.execute(target.table->manifest.table, sql, parameters));
    return success();
  };
  auto done = attempt_transaction(call, target, body);
  if (!done.end && !done.replayed) done.returned = std::move(returned);
  return done;
}

result<write_receipt> run_fenced(write_host& host, dual_writer& dual_write, write_address const& to,
                                 std::function<result<>(write_transaction&)> const& body,
                                 write_options const& options) {
  fenced_call call{host, dual_write, to, options, operation_of(to, {}, {}, options)};
  return call.run(
      [&](fenced_call& in, write_target const& target) { return attempt_transaction(in, target, body); });
}

}  // namespace v0
}  // namespace shardway
