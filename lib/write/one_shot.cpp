// One statement in its own transaction, in one flush.
#include "lib/protocol/capture.hpp"
#include "lib/write/fenced_transaction.hpp"
#include "lib/write/operation.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using end_kind = attempt_end::kind_type;
using answer_list = std::vector<result<rows>>;

// Positions in the flush. Unfenced, the statement commits by itself and its own answer is that of the COMMIT.
struct flush_plan {
  std::vector<statement> all;
  std::size_t user{};
  std::size_t xid{};
  std::size_t commit{};
  std::size_t position{};
};

flush_plan lay_out(fenced_call& call, write_target const& target, write_plan const& plan, statement user) {
  flush_plan laid;
  bool const own_transaction = plan.fenced || call.options().isolation != isolation_level::read_committed;
  if (own_transaction) laid.all = call.opening(target, plan);
  laid.user = laid.all.size();
  laid.all.push_back(std::move(user));
  laid.xid = laid.commit = laid.user;
  if (own_transaction) {
    laid.xid = laid.all.size();
    laid.all.push_back(xid_statement());
    laid.commit = laid.all.size();
    laid.all.push_back({.sql = "COMMIT"});
  }
  laid.position = laid.all.size();
  laid.all.push_back(position_statement());
  return laid;
}

// The first error before COMMIT: nothing was changed then, unless it was BEGIN that failed.
std::optional<error> first_error(answer_list const& answers, flush_plan const& laid) {
  for (std::size_t i = 0; i < answers.size() && i <= laid.user; ++i)
    if (!answers[i]) return answers[i].error();
  return std::nullopt;
}

commit_outcome outcome_of(answer_list const& answers, flush_plan const& laid) {
  if (laid.commit != laid.user) return outcome_of_commit(answers[laid.commit]);
  auto const cancelled = answers[laid.user].value().is_sync_wait_cancelled();
  return {cancelled ? commit_outcome_kind::committed_locally : commit_outcome_kind::committed, std::nullopt};
}

std::string xid_in(answer_list const& answers, flush_plan const& laid) {
  bool const known = laid.xid != laid.user && answers.size() > laid.xid && answers[laid.xid] &&
                     answers[laid.xid].value().size() == 1;
  return known ? std::string(answers[laid.xid].value().text(0, 0)) : std::string{};
}

class one_shot {
 public:
  one_shot(fenced_call& call, write_target const& target, std::string_view sql,
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
    if (!framed) return failed(framed.error());
    if (framed.value().keeps_lookups) return attempt_statement(call_, target_, sql_, parameters_);
    auto lent = call_.host().lend(target_.node, call_.deadline());
    if (!lent) return failed(lent.error());
    auto const laid = lay_out(call_, target_, plan_, framed.value().what);
    auto answers = lent.value().link->flush(laid.all, call_.deadline());
    if (answers) return judged(laid, framed.value(), lent.value(), answers.value());
    return broken(laid, framed.value(), lent.value(), answers.error());
  }

 private:
  static attempt_result failed(error why) { return {.end = attempt_end{end_kind::failed, std::move(why)}}; }

  // A statement that commits by itself may have done so before its session ended; inside a transaction block
  // nothing remains. Where BEGIN alone failed there is no block: the statement after it has committed by
  // itself, if it was not itself refused.
  attempt_result end_before_commit(answer_list const& answers, flush_plan const& laid, lent_session const& on,
                                   error const& why) {
    bool const is_alone = laid.commit == laid.user || !answers.front();
    bool const has_failed = answers.size() > laid.user && !answers[laid.user] &&
                            !needs_reconnect(answers[laid.user].error().code());
    if (is_alone && !has_failed) return call_.resolve(target_, plan_, on, {}, why);
    return {.end = end_of(why)};
  }

  attempt_result judged(flush_plan const& laid, framed_statement const& framed, lent_session const& on,
                        answer_list& answers) {
    if (auto const why = first_error(answers, laid)) return end_before_commit(answers, laid, on, *why);
    auto const outcome = outcome_of(answers, laid);
    auto const xid = xid_in(answers, laid);
    auto returned = unframe(framed, std::move(answers[laid.user]).value(), call_.log());
    if (outcome.kind == commit_outcome_kind::in_doubt)
      return with_rows(call_.resolve(target_, plan_, on, xid, *outcome.why), std::move(returned));
    return with_rows(call_.judge(target_, outcome, answers[laid.position], on), std::move(returned));
  }

  // Rows that can't be read may not make a committed write look like a failure.
  static attempt_result with_rows(attempt_result done, result<rows> returned) {
    done.answer_lost = !returned;
    if (returned) done.returned = std::move(returned).value();
    return done;
  }

  // What arrived before the connection broke may already say it all.
  attempt_result broken(flush_plan const& laid, framed_statement const& framed, lent_session const& on,
                        error const& lost) {
    auto arrived = on.link->salvaged();
    if (auto const why = first_error(arrived, laid)) return end_before_commit(arrived, laid, on, *why);
    auto const xid = xid_in(arrived, laid);
    if (arrived.size() > laid.commit) {
      while (arrived.size() <= laid.position) arrived.push_back(lost);
      return judged(laid, framed, on, arrived);
    }
    if (arrived.size() <= laid.user) return call_.resolve(target_, plan_, on, xid, lost);
    auto returned = unframe(framed, std::move(arrived[laid.user]).value(), call_.log());
    return with_rows(call_.resolve(target_, plan_, on, xid, lost), std::move(returned));
  }

  fenced_call& call_;
  write_target const& target_;
  write_plan plan_;
  std::string_view sql_;
  std::vector<text_value> const& parameters_;
};

}  // namespace

result<write_receipt> execute_fenced(write_host& host, dual_writer& dual_write, write_address const& to,
                                     std::string_view sql, std::vector<text_value> parameters,
                                     write_options const& options) {
  fenced_call call{host, dual_write, to, options, operation_of(to, sql, parameters, options)};
  return call.run([&](fenced_call& in, write_target const& target) {
    return one_shot{in, target, sql, parameters}.run();
  });
}

}  // namespace v0
}  // namespace shardway
