#include "lib/write/one_shot.hpp"

#include <algorithm>

#include "lib/protocol/capture.hpp"
#include "lib/store/first_error.hpp"
#include "lib/write/frame.hpp"
#include "lib/write/transaction_attempt.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using answer_list = std::vector<result<rows>>;

// The statements, and where each of them stands. An unfenced statement commits by itself: its own answer is
// that of the COMMIT.
struct flush_plan {
  statement_list statements;
  std::size_t user{};
  std::size_t xid{};
  std::size_t commit{};
  std::size_t position{};
};

flush_plan plan_flush(fenced_call& call, call_target const& target, write_plan const& plan, statement user) {
  flush_plan flush;
  bool const own_transaction = plan.fenced || call.options().isolation != isolation_level::read_committed;
  if (own_transaction) flush.statements = call.opening(target, plan);
  flush.user = flush.statements.size();
  flush.statements.push_back(std::move(user));
  flush.xid = flush.commit = flush.user;
  if (own_transaction) {
    flush.xid = flush.statements.size();
    flush.statements.push_back(xid_statement());
    flush.commit = flush.statements.size();
    flush.statements.push_back({.sql = "COMMIT"});
  }
  flush.position = flush.statements.size();
  flush.statements.push_back(position_statement());
  return flush;
}

// The first error up to the user's statement: nothing was changed then, unless it was BEGIN that failed.
result<> check_before_commit(answer_list const& answers, flush_plan const& flush) {
  return first_error(std::span{answers}.first(std::min(answers.size(), flush.user + 1)));
}

commit_outcome outcome_of(answer_list const& answers, flush_plan const& flush) {
  if (flush.commit != flush.user) return outcome_of_commit(answers[flush.commit]);
  auto const cancelled = answers[flush.user].value().is_sync_wait_cancelled();
  return {cancelled ? commit_outcome_kind::committed_locally : commit_outcome_kind::committed, std::nullopt};
}

std::string xid_in(answer_list const& answers, flush_plan const& flush) {
  bool const known = flush.xid != flush.user && answers.size() > flush.xid && answers[flush.xid] &&
                     answers[flush.xid].value().size() == 1;
  return known ? std::string(answers[flush.xid].value().text(0, 0)) : std::string{};
}

class one_shot {
 public:
  one_shot(fenced_call& call, call_target const& target, std::string_view sql,
           std::vector<text_value> const& parameters)
      : call_(call), target_(target), plan_(plan_of(target)), sql_(sql), parameters_(parameters) {}

  attempt_result run() {
    // COMMIT waits for the claim's answer, or for the caller's stop.
    if (call_.operation() || call_.options().cancel.stop_possible())
      return attempt_statement(call_, target_, sql_, parameters_);
    // What its triggers have captured is read before COMMIT.
    if (plan_.capture != capture_level::none && captures_by_trigger(*target_.table))
      return attempt_statement(call_, target_, sql_, parameters_);
    auto framed = frame(target_, plan_, call_.context(target_), sql_, parameters_);
    if (!framed) return failed_attempt(framed.error());
    if (framed.value().keeps_lookups) return attempt_statement(call_, target_, sql_, parameters_);
    auto lent = call_.host().lend(target_.node, call_.deadline());
    if (!lent) return failed_attempt(lent.error());
    auto const flush = plan_flush(call_, target_, plan_, framed.value().what);
    auto answers = lent.value().link->flush(flush.statements, call_.deadline());
    if (answers) return judged(flush, framed.value(), lent.value(), answers.value());
    return broken(flush, framed.value(), lent.value(), answers.error());
  }

 private:
  // A statement that commits by itself may have done so before its session ended; inside a transaction block
  // nothing remains. Where BEGIN alone failed there is no block: the statement after it has committed by
  // itself, if it was not itself refused.
  attempt_result end_before_commit(answer_list const& answers, flush_plan const& flush,
                                   lent_session const& lent, error const& why) {
    bool const is_alone = flush.commit == flush.user || !answers.front();
    bool const has_failed = answers.size() > flush.user && !answers[flush.user] &&
                            !needs_reconnect(answers[flush.user].error().code());
    if (is_alone && !has_failed) return call_.resolve(target_, plan_, lent, {}, why);
    return {.end = end_of(why)};
  }

  attempt_result judged(flush_plan const& flush, framed_statement const& framed, lent_session const& lent,
                        answer_list& answers) {
    if (auto const ready = check_before_commit(answers, flush); !ready)
      return end_before_commit(answers, flush, lent, ready.error());
    auto const outcome = outcome_of(answers, flush);
    auto const xid = xid_in(answers, flush);
    auto returned = unframe(framed, std::move(answers[flush.user]).value(), call_.log());
    if (outcome.kind == commit_outcome_kind::in_doubt)
      return with_rows(call_.resolve(target_, plan_, lent, xid, *outcome.why), std::move(returned));
    return with_rows(call_.judge(target_, outcome, answers[flush.position], lent), std::move(returned));
  }

  // Rows that can't be read may not make a committed write look like a failure.
  static attempt_result with_rows(attempt_result done, result<rows> returned) {
    done.answer_lost = !returned;
    if (returned) done.returned = std::move(returned).value();
    return done;
  }

  // What arrived before the connection broke may already say it all.
  attempt_result broken(flush_plan const& flush, framed_statement const& framed, lent_session const& lent,
                        error const& lost) {
    auto arrived = lent.link->salvaged();
    if (auto const ready = check_before_commit(arrived, flush); !ready)
      return end_before_commit(arrived, flush, lent, ready.error());
    auto const xid = xid_in(arrived, flush);
    if (arrived.size() > flush.commit) {
      while (arrived.size() <= flush.position) arrived.push_back(lost);
      return judged(flush, framed, lent, arrived);
    }
    if (arrived.size() <= flush.user) return call_.resolve(target_, plan_, lent, xid, lost);
    auto returned = unframe(framed, std::move(arrived[flush.user]).value(), call_.log());
    return with_rows(call_.resolve(target_, plan_, lent, xid, lost), std::move(returned));
  }

  fenced_call& call_;
  call_target const& target_;
  write_plan plan_;
  std::string_view sql_;
  std::vector<text_value> const& parameters_;
};

}  // namespace

attempt_result attempt_one_shot(fenced_call& call, call_target const& target, std::string_view sql,
                                std::vector<text_value> const& parameters) {
  return one_shot{call, target, sql, parameters}.run();
}

}  // namespace v0
}  // namespace shardway
