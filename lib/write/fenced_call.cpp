#include "lib/write/fenced_call.hpp"

#include <algorithm>
#include <limits>

#include "lib/protocol/fence.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;
using end_kind = attempt_end::kind_type;

steady_time now() { return system_clock_source().now(); }

std::string begin_sql(isolation_level level) {
  switch (level) {
    case isolation_level::read_committed:
      return "BEGIN ISOLATION LEVEL READ COMMITTED";
    case isolation_level::repeatable_read:
      return "BEGIN ISOLATION LEVEL REPEATABLE READ";
    case isolation_level::serializable:
      return "BEGIN ISOLATION LEVEL SERIALIZABLE";
  }
  return "BEGIN";
}

// No position is known to be late enough: only the primary satisfies it, until the next write.
constexpr lsn beyond_all{std::numeric_limits<std::uint64_t>::max()};

}  // namespace

// Asked after COMMIT on the same connection: before it, or of the flushed WAL, the position may lie below the
// commit (R6).
statement position_statement() {
  return {.sql = "SELECT pg_catalog.pg_current_wal_insert_lsn()", .name = "shardway_position"};
}
statement xid_statement() {
  return {.sql = "SELECT pg_catalog.pg_current_xact_id_if_assigned()", .name = "shardway_xid"};
}

fenced_call::fenced_call(write_host& host, dual_writer& dual_write, write_address const& address,
                         write_options const& options, std::optional<operation_claim> operation)
    : host_(host),
      dual_writer_(dual_write),
      address_(address),
      options_(options),
      operation_(std::move(operation)),
      id_(write_id::make()),
      deadline_(now() + options.deadline),
      wait_(host, deadline_, options.cancel) {}

attempt_result fenced_call::doubted(attempt_result done) {
  bool const is_in_doubt = done.end && done.end->why.code() == error_code::in_doubt;
  if (!operation_ || !is_in_doubt) return done;
  doubt_ = done.end->why.with_hint("repeat it with the same operation id and content");
  done.end->kind = end_kind::again;
  return done;
}

result<void> fenced_call::check_stop() const {
  if (!options_.cancel.stop_requested()) return success();
  return error{error_code::cancelled, "the caller stopped the write to table " + std::string(address_.table) +
                                          "; nothing was written"};
}

// The id and its effect are the first call's. What it sent to the shard is not known here; the stream brings
// what is missing.
write_receipt fenced_call::replayed(call_target const& target, attempt_result done) {
  auto const record = std::move(*done.replayed);
  done.replayed.reset();
  done.position = position_afterwards(target);
  dual_write_result second;
  if (plan_of(target).dual_write && record.affected > 0)
    second = {.state = dual_write_state::pending, .reason = "replayed"};
  auto made = receipt(target, std::move(done), std::move(second));
  made.id = record.id;
  made.affected = record.affected;
  made.replayed = true;
  return made;
}

statement_list fenced_call::opening(call_target const& target, write_plan const& plan) const {
  statement_list all;
  all.push_back({.sql = begin_sql(options_.isolation)});
  if (!plan.fenced) return all;
  // The snapshot of such a transaction must not be older than the lock (W24).
  if (options_.isolation != isolation_level::read_committed && !guard_off("fence_lock_repeatable_read"))
    all.push_back(fence_lock_statement(target.group->name));
  all.push_back(fence_statement(target.group->name, target.slot, expected(target)));
  return all;
}

lsn fenced_call::position_afterwards(call_target const& target) {
  auto lent = host_.lend(target.node, now() + milliseconds{1000});
  if (lent) {
    auto const answer = lent.value().link->query(position_statement(), now() + milliseconds{1000});
    auto const position =
        answer && answer.value().size() == 1 ? lsn::parse(answer.value().text(0, 0)) : std::nullopt;
    if (position) {
      host_.committed(target.node_name, *lent.value().facts, *position);
      return *position;
    }
  }
  return {};
}

attempt_result fenced_call::judge(call_target const& target, commit_outcome const& outcome,
                                  result<rows> const& position, lent_session const& lent) {
  switch (outcome.kind) {
    case commit_outcome_kind::rolled_back: {
      auto const why =
          outcome.why.value_or(error{error_code::sql_error, "the server rolled the transaction back"});
      return {.end = end_of(why)};
    }
    case commit_outcome_kind::in_doubt:
      return failed_attempt(outcome.why.value_or(error{error_code::in_doubt, "COMMIT was not answered"}));
    case commit_outcome_kind::committed:
    case commit_outcome_kind::committed_locally:
      break;
  }
  attempt_result done{.outcome = outcome.kind};
  auto const parsed =
      position && position.value().size() == 1 ? lsn::parse(position.value().text(0, 0)) : std::nullopt;
  if (parsed) {
    host_.committed(target.node_name, *lent.facts, *parsed);
    done.position = *parsed;
  } else {
    done.position = position_afterwards(target);
    if (!done.position.is_set()) host_.committed(target.node_name, *lent.facts, beyond_all);
  }
  return done;
}

attempt_result fenced_call::resolve(call_target const& target, write_plan const& plan,
                                    lent_session const& lent, std::string xid, error const& lost) {
  commit_question question{.node = target.node, .facts = *lent.facts, .xid = std::move(xid)};
  // Where the statements' answers had come and nothing was captured, there is no outbox row to look for.
  if (plan.capture == capture_level::outbox && (question.xid.empty() || !log_.changes.empty()))
    question.write = id_;
  auto const outcome = host_.resolve(question);
  if (outcome.kind == commit_outcome_kind::rolled_back ||
      (outcome.kind == commit_outcome_kind::in_doubt && guard_off("retry_in_doubt")))
    return repeatable_attempt(lost);
  if (outcome.kind == commit_outcome_kind::in_doubt) {
    auto const why = outcome.why ? outcome.why->message() : lost.message();
    return failed_attempt(error{error_code::in_doubt,
                                "write " + id_.to_string() + " to group " + target.group->name +
                                    ": whether it committed is not known: " + why,
                                "do not retry it; look for its rows"}
                              .at_node(target.node_name));
  }
  auto done = judge(target, outcome, error{error_code::connection_lost, "the connection broke"}, lent);
  done.answer_lost = true;
  return done;
}

dual_write_result fenced_call::second_half(call_target const& target, write_plan const& plan,
                                           attempt_result const& done) {
  if (!plan.dual_write) return {};
  if (stop_point("after_source_commit"))
    return {.state = dual_write_state::pending, .reason = "stopped by a test"};
  if (log_.changes.empty())
    return done.answer_lost
               ? dual_write_result{.state = dual_write_state::pending, .reason = "the answer was lost"}
               : dual_write_result{};
  return send_second_half(dual_writer_, {.id = id_, .current = target.current, .changes = log_.changes},
                          plan.budget, deadline_);
}

write_receipt fenced_call::receipt(call_target const& target, attempt_result done, dual_write_result second) {
  write_receipt made;
  made.outcome = done.outcome;
  made.id = id_;
  for (auto const& one : log_.changes) made.versions.push_back(one.row.version);
  made.dual_write = second.state;
  made.dual_write_reason = std::move(second.reason);
  made.dual_write_rows = second.rows_applied;
  made.node = target.node_name;
  made.slot = target.slot;
  made.epoch = target.group->stage == stage::observing ? epoch{} : expected(target);
  made.generation = target.current->number;
  made.position = done.position;
  made.retries = attempts_ - 1;
  made.stalled = wait_.stalled();
  made.affected = log_.affected;
  made.returned = std::move(done.returned);
  made.answer_lost = done.answer_lost;
  return made;
}

result<void> fenced_call::after(attempt_end const& end, call_target const& target) {
  if (end.kind == end_kind::refused) return wait_.after(end.target ? *end.target : target, end.why);
  // SW009: a table's capture may have been changed by a generation that is not known here yet.
  if (end.kind == end_kind::failed && end.why.sqlstate() == "SW009") {
    auto const newer = host_.refresh(target.current->number, deadline_);
    if (newer && newer.value()) return success();
  }
  if (end.kind == end_kind::failed) return end.why;
  if (retried_++ >= options_.retries_max) return end.why;
  auto const pause = std::min(milliseconds{1} * (1 << std::min(retried_, 6U)), milliseconds{50});
  if (now() + pause >= deadline_)
    return error{
        error_code::deadline_exceeded,
        "the write could not be repeated before its deadline; nothing was written: " + end.why.message()};
  system_clock_source().sleep_until(now() + pause);
  return success();
}

// The attempt is run again as a whole: what a function read under the old authority is read anew under the
// next one (R10).
result<write_receipt> fenced_call::run(attempt_type const& attempt) {
  for (;;) {
    BOOST_OUTCOME_TRY(auto const target, host_.locate(address_.table, address_.key));
    auto const allowed = check_stop();
    log_ = {};
    ++attempts_;
    auto done = allowed ? attempt(*this, target) : failed_attempt(allowed.error());
    if (done.end) {
      auto const again = after(*done.end, target);
      if (!again) return doubt_ ? *doubt_ : again.error();
      continue;
    }
    if (done.replayed) return replayed(target, std::move(done));
    auto second = second_half(target, plan_of(target), done);
    return receipt(target, std::move(done), std::move(second));
  }
}

}  // namespace v0
}  // namespace shardway
