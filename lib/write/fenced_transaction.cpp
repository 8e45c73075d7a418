#include "lib/write/fenced_transaction.hpp"

#include <algorithm>

#include "lib/authority/unlisted_table.hpp"
#include "lib/protocol/fence.hpp"
#include "lib/protocol/names.hpp"
#include "lib/sql/statement_lexer.hpp"
#include "lib/store/first_error.hpp"
#include "lib/store/statement_name.hpp"
#include "lib/store/stop_guard.hpp"
#include "lib/write/frame.hpp"
#include "lib/write/lookup_keeper.hpp"
#include "lib/write/rows_by_node.hpp"

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
  if (auto const allowed = call_.check_stop(); !allowed) return fail(allowed.error());
  auto answers = [&] {
    stop_guard const guard{call_.options().cancel, *lent_.link};
    return lent_.link->flush(all, call_.deadline());
  }();
  if (auto const allowed = call_.check_stop(); !allowed) return fail(allowed.error());
  if (!answers) return fail(answers.error());
  if (auto const done = first_error(answers.value()); !done) return fail(done.error());
  return answers;
}

// The first statement also asks for the xid. It identifies the transaction if COMMIT gets no answer.
result<rows> fenced_transaction::send_with_xid(statement const& one) {
  auto all = std::exchange(pending_, {});
  auto const position = all.size();
  all.push_back(one);
  if (xid_.empty()) all.push_back(xid_statement());
  BOOST_OUTCOME_TRY(auto answers, send(all));
  if (xid_.empty() && answers[position + 1].value().size() == 1)
    xid_ = answers[position + 1].value().text(0, 0);
  return std::move(answers[position]);
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
  call_.forget_doubt();
  return success();
}

result<void> fenced_transaction::check_table(std::string_view table) const {
  auto const* found = target_.current->find_table(table);
  bool const observes = target_.group->stage == stage::observing;
  if (!found && observes) return success();
  if (!found) return unlisted_table(table, *target_.current);
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

// Authority for the first key cannot move while this transaction lasts. If the generation names another
// node for the second key, it is refreshed once.
result<call_target> fenced_transaction::enter(std::string_view table, shard_key const& key) {
  BOOST_OUTCOME_TRYV(check_table(table));
  auto& host = call_.host();
  BOOST_OUTCOME_TRY(auto found, host.locate(table, key));
  if (found.node != target_.node) {
    (void)host.refresh(found.current->number, call_.deadline());
    BOOST_OUTCOME_TRY(found, host.locate(table, key));
  }
  if (found.node != target_.node) {
    std::vector<call_target> const both{target_, found};
    return crossing(table, both);
  }
  BOOST_OUTCOME_TRYV(pass_fence(found));
  return found;
}

result<void> fenced_transaction::pass_fence(call_target const& target) {
  auto const is_same = [&](call_target const& other) { return other.slot == target.slot; };
  if (is_same(target_) || std::any_of(others_.begin(), others_.end(), is_same)) return success();
  if (plan_.fenced) {
    statement const one = fence_statement(target.group->name, target.slot, call_.expected(target));
    auto const passed = send({&one, 1});
    if (!passed) {
      if (end_of(passed.error()).kind == end_kind::refused)
        refused_target_ = std::make_shared<call_target const>(target);
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

result<rows> fenced_transaction::change(call_target const& target, write_plan const& plan,
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
  auto kept = shardway::keep_lookups(call_, target_, lent_);
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

}  // namespace v0
}  // namespace shardway
