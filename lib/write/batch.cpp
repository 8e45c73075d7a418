// One statement for many rows: rows are grouped by the node that has authority, each node's in one flush and
// one transaction.
#include "lib/write/batch.hpp"

#include <algorithm>
#include <deque>

#include "lib/protocol/capture.hpp"
#include "lib/protocol/fence.hpp"
#include "lib/write/fenced_batch.hpp"
#include "lib/write/fenced_transaction.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using end_kind = attempt_end::kind_type;
using answer_list = std::vector<result<rows>>;
using position_list = std::vector<std::size_t>;
using std::chrono::milliseconds;

struct row_answer {
  std::int64_t affected{};
  rows returned;
};

result<std::vector<write_target>> locate_all(write_host& host, std::string_view table,
                                             std::span<batch_row const> all, position_list const& which) {
  std::vector<write_target> targets;
  for (auto const row : which) {
    BOOST_OUTCOME_TRY(auto target, host.locate(table, all[row].key));
    targets.push_back(std::move(target));
  }
  return targets;
}

// Positions in the flush of one part.
struct part_flush {
  std::vector<statement> all;
  std::vector<std::size_t>
      fenced;  ///< for each fence statement, the row whose slot it names; they stand right before `first`
  std::size_t first{};  ///< the first row's statement
  std::size_t commit{};
};

// One transaction of one node, tried until it commits, fails or its rows belong to several nodes.
class part_run {
 public:
  part_run(write_host& host, dual_writer& dual_write, std::string_view table, std::string_view sql,
           std::span<batch_row const> all, position_list which, write_options const& options)
      : dual_writer_(dual_write),
        table_(table),
        sql_(sql),
        all_(all),
        which_(std::move(which)),
        call_(host, dual_write, {table, all[which_.front()].key}, options) {}

  /// False: authority moved in between, and the rows are to be grouped again.
  bool run() {
    made_.rows = which_;
    made_.id = call_.id();
    for (;;) {
      auto located = locate_all(call_.host(), table_, all_, which_);
      if (!located) return failed(located.error());
      targets_ = std::move(located).value();
      if (rows_by_node(which_, targets_).size() > 1) return false;
      made_.node = targets_.front().node_name;
      auto done = attempt();
      if (!done.end) return committed(done);
      if (auto const again = call_.after(*done.end, targets_.front()); !again) return failed(again.error());
    }
  }
  batch_part& part() noexcept { return made_; }
  std::vector<row_answer>& answers() noexcept { return answers_; }
  std::span<write_target const> targets() const noexcept { return targets_; }

 private:
  attempt_result attempt() {
    call_.log() = {};
    answers_.assign(which_.size(), {});
    framed_.clear();
    made_.failed_row.reset();
    made_.answer_lost = false;
    plan_ = plan_of(targets_.front());
    if (plan_.capture != capture_level::none && captures_by_trigger(*targets_.front().table))
      return in_transaction();
    auto laid = lay_out();
    if (!laid) return {.end = attempt_end{end_kind::failed, laid.error()}};
    if (framed_.front().keeps_lookups) return in_transaction();
    auto lent = call_.host().lend(targets_.front().node, call_.deadline());
    if (!lent) return {.end = attempt_end{end_kind::failed, lent.error()}};
    auto answers = lent.value().link->flush(laid.value().all, call_.deadline());
    if (answers) return judged(laid.value(), lent.value(), answers.value(), answers.value().size());
    auto arrived = lent.value().link->salvaged();
    auto const count = arrived.size();
    while (arrived.size() < laid.value().all.size()) arrived.push_back(answers.error());
    return judged(laid.value(), lent.value(), arrived, count);
  }

  // Where something is to be done between the rows and COMMIT, each row is a round trip.
  attempt_result in_transaction() {
    std::size_t row = 0;
    auto const body = [&](write_transaction& in) -> result<> {
      for (row = 0; row < which_.size(); ++row) {
        auto const& given = all_[which_[row]];
        BOOST_OUTCOME_TRY(auto returned, in.execute_for(given.key, table_, sql_, given.parameters));
        auto const affected = returned.affected();
        answers_[row] = {affected, std::move(returned)};
      }
      return success();
    };
    auto done = attempt_transaction(call_, targets_.front(), body);
    if (done.end && done.end->kind == end_kind::failed && row < which_.size()) made_.failed_row = which_[row];
    return done;
  }

  // BEGIN, a fence for each slot, the rows' statements, the transaction's id, COMMIT, the position.
  result<part_flush> lay_out() {
    part_flush laid;
    laid.all = call_.opening(targets_.front(), plan_);
    if (plan_.fenced) laid.fenced.push_back(0);
    for (std::size_t i = 1; plan_.fenced && i < targets_.size(); ++i) {
      auto const same_slot = [&](std::size_t other) { return targets_[other].slot == targets_[i].slot; };
      if (std::any_of(laid.fenced.begin(), laid.fenced.end(), same_slot)) continue;
      laid.all.push_back(
          fence_statement(targets_[i].group->name, targets_[i].slot, call_.expected(targets_[i])));
      laid.fenced.push_back(i);
    }
    laid.first = laid.all.size();
    BOOST_OUTCOME_TRYV(add_rows(laid.all));
    laid.all.push_back(xid_statement());
    laid.commit = laid.all.size();
    laid.all.push_back({.sql = "COMMIT"});
    laid.all.push_back(position_statement());
    return laid;
  }

  // The ordinals of a later row follow those of the earlier, however many rows the earlier statement changes.
  result<void> add_rows(std::vector<statement>& all) {
    auto const ordinals_a_row = static_cast<std::int32_t>(2'000'000'000 / which_.size());
    auto ordinal = std::int32_t{1};
    for (std::size_t i = 0; i < which_.size(); ++i) {
      auto context = call_.context(targets_[i]);
      context.first_ordinal = ordinal;
      ordinal += ordinals_a_row;
      BOOST_OUTCOME_TRY(auto framed, frame(targets_[i], plan_, context, sql_, all_[which_[i]].parameters));
      all.push_back(framed.what);
      framed_.push_back(std::move(framed));
    }
    return success();
  }

  // Of the answers `arrived` have come; the others hold the error that broke the connection. COMMIT had been
  // sent with the rest.
  attempt_result judged(part_flush const& laid, lent_session const& on, answer_list& answers,
                        std::size_t arrived) {
    auto const before_commit = std::min(arrived, laid.commit);
    for (std::size_t i = 0; i < before_commit; ++i)
      if (!answers[i]) return ended(laid, i, answers[i].error());
    auto const xid = arrived >= laid.commit && answers[laid.commit - 1].value().size() == 1
                         ? std::string(answers[laid.commit - 1].value().text(0, 0))
                         : std::string{};
    take_rows(laid, answers, before_commit);
    auto const outcome = outcome_of_commit(answers[laid.commit]);
    bool const unanswered = arrived <= laid.commit || outcome.kind == commit_outcome_kind::in_doubt;
    auto done = unanswered ? call_.resolve(targets_.front(), plan_, on, xid,
                                           outcome.why.value_or(answers[laid.commit].error()))
                           : call_.judge(targets_.front(), outcome, answers.back(), on);
    if (before_commit < laid.first + which_.size()) made_.answer_lost = true;
    return done;
  }

  // Before COMMIT: the transaction rolls back. Without BEGIN there was none, and each statement stood alone.
  attempt_result ended(part_flush const& laid, std::size_t at, error const& why) {
    if (at == 0)
      return {.end = attempt_end{end_kind::failed,
                                 error{error_code::in_doubt,
                                       "write " + call_.id().to_string() +
                                           ": its transaction could not be begun: " + why.message(),
                                       "look for its rows"}
                                     .at_node(made_.node)}};
    auto end = end_of(why);
    auto const first_fence = laid.first - laid.fenced.size();
    if (end.kind == end_kind::refused && at >= first_fence && at < laid.first)
      end.target = std::make_shared<write_target const>(targets_[laid.fenced[at - first_fence]]);
    if (end.kind == end_kind::failed && at >= laid.first && at < laid.commit - 1)
      made_.failed_row = which_[at - laid.first];
    return {.end = std::move(end)};
  }

  void take_rows(part_flush const& laid, answer_list& answers, std::size_t end) {
    for (std::size_t i = 0; i < which_.size() && laid.first + i < end; ++i) {
      auto const before = call_.log().affected;
      auto given = unframe(framed_[i], std::move(answers[laid.first + i]).value(), call_.log());
      if (!given) {
        made_.answer_lost =
            true;  // rows that can't be read may not make a committed write look like a failure
        continue;
      }
      answers_[i] = {call_.log().affected - before, std::move(given).value()};
    }
  }

  bool committed(attempt_result const& done) {
    made_.state = done.outcome == commit_outcome_kind::committed ? part_state::committed
                                                                 : part_state::committed_locally;
    made_.position = done.position;
    made_.retries = call_.retries();
    made_.why.reset();
    auto const& first = targets_.front();
    if (!plan_.dual_write) return true;
    auto second = send_second_half(
        dual_writer_, {.id = call_.id(), .current = first.current, .changes = call_.log().changes},
        plan_.budget, call_.deadline());
    if (made_.answer_lost)
      second = joined({.state = dual_write_state::pending, .reason = "the answer was lost"}, second);
    made_.dual_write = second.state;
    made_.dual_write_reason = second.reason;
    made_.dual_write_rows = second.rows_applied;
    return true;
  }

  bool failed(error why) {
    made_.state = why.code() == error_code::in_doubt ? part_state::in_doubt : part_state::rolled_back;
    made_.retries = call_.retries();
    made_.why = std::move(why);
    made_.answer_lost = false;
    answers_.assign(which_.size(), {});
    return true;
  }

  dual_writer& dual_writer_;
  std::string_view table_, sql_;
  std::span<batch_row const> all_;
  position_list which_;
  fenced_call call_;
  std::vector<write_target> targets_;
  write_plan plan_;
  std::vector<framed_statement> framed_;
  std::vector<row_answer> answers_;
  batch_part made_;
};

class batch_call {
 public:
  batch_call(write_host& host, dual_writer& dual_write, std::string_view table, std::string_view sql,
             std::span<batch_row const> all, batch_options const& options)
      : host_(host),
        dual_writer_(dual_write),
        table_(table),
        sql_(sql),
        all_(all),
        options_(options),
        deadline_(system_clock_source().now() + options.deadline) {}

  result<batch_receipt> run() {
    receipt_.rows.resize(all_.size());
    position_list every(all_.size());
    for (std::size_t i = 0; i < every.size(); ++i) every[i] = i;
    BOOST_OUTCOME_TRYV(group(every));
    while (!work_.empty()) {
      auto which = std::move(work_.front());
      work_.pop_front();
      BOOST_OUTCOME_TRYV(run_part(std::move(which)));
    }
    return std::move(receipt_);
  }

 private:
  result<void> group(position_list const& which) {
    BOOST_OUTCOME_TRY(auto targets, locate_all(host_, table_, all_, which));
    auto parts = rows_by_node(which, targets);
    if (options_.single_transaction && parts.size() > 1) {
      // An old generation may be what sets them apart.
      (void)host_.refresh(targets.front().current->number, deadline_);
      BOOST_OUTCOME_TRY(targets, locate_all(host_, table_, all_, which));
      parts = rows_by_node(which, targets);
      if (parts.size() > 1) return crossing(table_, targets);
    }
    for (auto& part : parts) work_.push_back(std::move(part));
    return success();
  }

  result<void> run_part(position_list which) {
    auto const left = std::chrono::duration_cast<milliseconds>(deadline_ - system_clock_source().now());
    write_options const options{.isolation = options_.isolation,
                                .deadline = std::max(milliseconds{1}, left),
                                .retries_max = options_.retries_max};
    part_run one{host_, dual_writer_, table_, sql_, all_, which, options};
    if (!one.run()) return group(which);
    if (options_.single_transaction) tell_of_crossing(one);
    auto const part = receipt_.parts.size();
    for (std::size_t i = 0; i < which.size(); ++i) {
      auto& answer = receipt_.rows[which[i]];
      answer.part = part;
      if (i >= one.answers().size()) continue;
      answer.affected = one.answers()[i].affected;
      answer.returned = std::move(one.answers()[i].returned);
      receipt_.affected += answer.affected;
    }
    receipt_.parts.push_back(std::move(one.part()));
    return success();
  }

  // Allowed while the source has authority for all of them; refused once they have moved.
  void tell_of_crossing(part_run const& one) {
    auto const targets = one.targets();
    if (targets.empty() || !targets.front().node.is_source() || one_shard(targets)) return;
    host_.crosses_shards(targets.front());
  }
  static bool one_shard(std::span<write_target const> targets) {
    return std::all_of(targets.begin(), targets.end(),
                       [&](auto const& one) { return one.placed == targets.front().placed; });
  }

  write_host& host_;
  dual_writer& dual_writer_;
  std::string_view table_, sql_;
  std::span<batch_row const> all_;
  batch_options const& options_;
  steady_time deadline_;
  std::deque<position_list> work_;
  batch_receipt receipt_;
};

}  // namespace

std::string_view name(part_state state) noexcept {
  switch (state) {
    case part_state::committed:
      return "committed";
    case part_state::committed_locally:
      return "committed_locally";
    case part_state::rolled_back:
      return "rolled_back";
    case part_state::in_doubt:
      return "in_doubt";
  }
  return "unknown";
}

std::vector<position_list> rows_by_node(std::span<std::size_t const> which,
                                        std::span<write_target const> targets) {
  std::vector<position_list> parts;
  std::vector<node_index> nodes;
  for (std::size_t i = 0; i < which.size(); ++i) {
    auto const found = std::find(nodes.begin(), nodes.end(), targets[i].node);
    auto const part = static_cast<std::size_t>(found - nodes.begin());
    if (found == nodes.end()) {
      nodes.push_back(targets[i].node);
      parts.emplace_back();
    }
    parts[part].push_back(which[i]);
  }
  return parts;
}

// Names the nodes, never the keys (W19).
error crossing(std::string_view table, std::span<write_target const> targets) {
  std::vector<std::string> nodes;
  for (auto const& one : targets)
    if (std::find(nodes.begin(), nodes.end(), one.node_name) == nodes.end()) nodes.push_back(one.node_name);
  std::string said;
  for (auto const& node : nodes) said += (said.empty() ? "" : ", ") + node;
  return error{error_code::cross_shard,
               "one transaction on table " + std::string(table) + " would change rows of several nodes (" +
                   said + "); nothing was written",
               "write each node's rows in a transaction of their own, each with an operation id"};
}

result<batch_receipt> execute_batch_fenced(write_host& host, dual_writer& dual_write, std::string_view table,
                                           std::string_view sql, std::span<batch_row const> rows,
                                           batch_options const& options) {
  if (options.deadline <= milliseconds{0})
    return error{error_code::invalid_argument, "a batch's deadline must be above 0"};
  if (rows.size() > batch_rows_max)
    return error{error_code::invalid_argument, "a batch has " + std::to_string(rows.size()) +
                                                   " rows; at most " + std::to_string(batch_rows_max) +
                                                   " in one call"};
  if (rows.empty()) return batch_receipt{};
  return batch_call{host, dual_write, table, sql, rows, options}.run();
}

}  // namespace v0
}  // namespace shardway
