#include "lib/write/batch_part_run.hpp"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "lib/protocol/capture.hpp"
#include "lib/protocol/fence.hpp"
#include "lib/write/transaction_attempt.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using end_kind = attempt_end::kind_type;

}  // namespace

result<std::vector<call_target>> locate_rows(write_host& host, std::string_view table,
                                             std::span<batch_row const> all, position_list const& positions) {
  std::vector<call_target> targets;
  for (auto const position : positions) {
    BOOST_OUTCOME_TRY(auto target, host.locate(table, all[position].key));
    targets.push_back(std::move(target));
  }
  return targets;
}

// The statements of one part, and where each of them stands.
struct batch_part_run::flush_plan {
  statement_list statements;
  /// For each fence statement the row whose slot it names. The fences stand right before `first_row`.
  std::vector<std::size_t> fenced;
  std::size_t first_row{};
  std::size_t commit{};
};

batch_part_run::batch_part_run(write_host& host, dual_writer& dual_write, std::string_view table,
                               std::string_view sql, std::span<batch_row const> all, position_list positions,
                               write_options const& options)
    : dual_writer_(dual_write),
      table_(table),
      sql_(sql),
      all_(all),
      positions_(std::move(positions)),
      call_(host, dual_write, {table, all[positions_.front()].key}, options) {}

bool batch_part_run::run() {
  part_.rows = positions_;
  part_.id = call_.id();
  for (;;) {
    auto located = locate_rows(call_.host(), table_, all_, positions_);
    if (!located) return failed(located.error());
    targets_ = std::move(located).value();
    if (rows_by_node(positions_, targets_).size() > 1) return false;
    part_.node = targets_.front().node_name;
    auto done = attempt();
    if (!done.end) return committed(done);
    if (auto const again = call_.after(*done.end, targets_.front()); !again) return failed(again.error());
  }
}

attempt_result batch_part_run::attempt() {
  call_.log() = {};
  answers_.assign(positions_.size(), {});
  framed_.clear();
  part_.failed_row.reset();
  part_.answer_lost = false;
  plan_ = plan_of(targets_.front());
  if (plan_.capture != capture_level::none && captures_by_trigger(*targets_.front().table))
    return attempt_row_by_row();
  return attempt_in_one_flush();
}

attempt_result batch_part_run::attempt_in_one_flush() {
  auto planned = plan_flush();
  if (!planned) return failed_attempt(planned.error());
  if (framed_.front().keeps_lookups) return attempt_row_by_row();
  auto const& flush = planned.value();
  auto lent = call_.host().lend(targets_.front().node, call_.deadline());
  if (!lent) return failed_attempt(lent.error());
  auto answers = lent.value().link->flush(flush.statements, call_.deadline());
  if (answers) return judge(flush, lent.value(), answers.value(), answers.value().size());
  auto arrived = lent.value().link->salvaged();
  auto const count = arrived.size();
  while (arrived.size() < flush.statements.size()) arrived.push_back(answers.error());
  return judge(flush, lent.value(), arrived, count);
}

// If something has to happen between the rows and COMMIT, each row is a round trip.
attempt_result batch_part_run::attempt_row_by_row() {
  std::size_t row = 0;
  auto const body = [&](write_transaction& transaction) -> result<> {
    for (row = 0; row < positions_.size(); ++row) {
      auto const& given = all_[positions_[row]];
      BOOST_OUTCOME_TRY(auto returned, transaction.execute_for(given.key, table_, sql_, given.parameters));
      auto const affected = returned.affected();
      answers_[row] = {affected, std::move(returned)};
    }
    return success();
  };
  auto done = attempt_transaction(call_, targets_.front(), body);
  if (done.end && done.end->kind == end_kind::failed && row < positions_.size())
    part_.failed_row = positions_[row];
  return done;
}

// BEGIN, a fence for each slot, the rows' statements, the transaction's id, COMMIT, the position.
result<batch_part_run::flush_plan> batch_part_run::plan_flush() {
  flush_plan flush;
  auto& statements = flush.statements;
  statements = call_.opening(targets_.front(), plan_);
  if (plan_.fenced) flush.fenced.push_back(0);
  for (std::size_t i = 1; plan_.fenced && i < targets_.size(); ++i) {
    auto const& target = targets_[i];
    auto const same_slot = [&](std::size_t other) { return targets_[other].slot == target.slot; };
    if (std::any_of(flush.fenced.begin(), flush.fenced.end(), same_slot)) continue;
    statements.push_back(fence_statement(target.group->name, target.slot, call_.expected(target)));
    flush.fenced.push_back(i);
  }
  flush.first_row = statements.size();
  BOOST_OUTCOME_TRYV(add_rows(statements));
  statements.push_back(xid_statement());
  flush.commit = statements.size();
  statements.push_back({.sql = "COMMIT"});
  statements.push_back(position_statement());
  return flush;
}

// The ordinals of a later row follow those of the earlier ones, however many rows a statement changes.
result<void> batch_part_run::add_rows(statement_list& statements) {
  auto const ordinals_per_row = static_cast<std::int32_t>(2'000'000'000 / positions_.size());
  auto ordinal = std::int32_t{1};
  for (std::size_t i = 0; i < positions_.size(); ++i) {
    auto context = call_.context(targets_[i]);
    context.first_ordinal = ordinal;
    ordinal += ordinals_per_row;
    BOOST_OUTCOME_TRY(auto framed, frame(targets_[i], plan_, context, sql_, all_[positions_[i]].parameters));
    statements.push_back(framed.what);
    framed_.push_back(std::move(framed));
  }
  return success();
}

// The first `arrived` answers came. The others hold the error that broke the connection; COMMIT had been sent
// with the rest.
attempt_result batch_part_run::judge(flush_plan const& flush, lent_session const& session,
                                     answer_list& answers, std::size_t arrived) {
  auto const before_commit = std::min(arrived, flush.commit);
  for (std::size_t i = 0; i < before_commit; ++i)
    if (!answers[i]) return end_before_commit(flush, i, answers[i].error());
  auto const xid = arrived >= flush.commit && answers[flush.commit - 1].value().size() == 1
                       ? std::string(answers[flush.commit - 1].value().text(0, 0))
                       : std::string{};
  take_rows(flush, answers, before_commit);
  auto const outcome = outcome_of_commit(answers[flush.commit]);
  bool const unanswered = arrived <= flush.commit || outcome.kind == commit_outcome_kind::in_doubt;
  auto done = unanswered ? call_.resolve(targets_.front(), plan_, session, xid,
                                         outcome.why.value_or(answers[flush.commit].error()))
                         : call_.judge(targets_.front(), outcome, answers.back(), session);
  if (before_commit < flush.first_row + positions_.size()) part_.answer_lost = true;
  return done;
}

// An error before COMMIT rolls the transaction back. If BEGIN itself failed there was no transaction, and
// each statement stood alone.
attempt_result batch_part_run::end_before_commit(flush_plan const& flush, std::size_t position,
                                                 error const& why) {
  if (position == 0)
    return failed_attempt(error{error_code::in_doubt,
                                absl::StrCat("write ", call_.id().to_string(),
                                             ": its transaction could not be begun: ", why.message()),
                                "look for its rows"}
                              .at_node(part_.node));
  auto end = end_of(why);
  auto const first_fence = flush.first_row - flush.fenced.size();
  if (end.kind == end_kind::refused && position >= first_fence && position < flush.first_row)
    end.target = std::make_shared<call_target const>(targets_[flush.fenced[position - first_fence]]);
  if (end.kind == end_kind::failed && position >= flush.first_row && position < flush.commit - 1)
    part_.failed_row = positions_[position - flush.first_row];
  return {.end = std::move(end)};
}

void batch_part_run::take_rows(flush_plan const& flush, answer_list& answers, std::size_t end) {
  for (std::size_t i = 0; i < positions_.size() && flush.first_row + i < end; ++i) {
    auto const before = call_.log().affected;
    auto given = unframe(framed_[i], std::move(answers[flush.first_row + i]).value(), call_.log());
    // Rows that cannot be read must not make a committed write look like a failure.
    if (!given)
      part_.answer_lost = true;
    else
      answers_[i] = {call_.log().affected - before, std::move(given).value()};
  }
}

bool batch_part_run::committed(attempt_result const& done) {
  part_.state =
      done.outcome == commit_outcome_kind::committed ? part_state::committed : part_state::committed_locally;
  part_.position = done.position;
  part_.retries = call_.retries();
  part_.why.reset();
  if (!plan_.dual_write) return true;
  auto second = send_second_half(
      dual_writer_, {.id = call_.id(), .current = targets_.front().current, .changes = call_.log().changes},
      plan_.budget, call_.deadline());
  if (part_.answer_lost)
    second = combined({.state = dual_write_state::pending, .reason = "the answer was lost"}, second);
  part_.dual_write = second.state;
  part_.dual_write_reason = second.reason;
  part_.dual_write_rows = second.rows_applied;
  return true;
}

bool batch_part_run::failed(error why) {
  part_.state = why.code() == error_code::in_doubt ? part_state::in_doubt : part_state::rolled_back;
  part_.retries = call_.retries();
  part_.why = std::move(why);
  part_.answer_lost = false;
  answers_.assign(positions_.size(), {});
  return true;
}

}  // namespace v0
}  // namespace shardway
