#include "lib/read/routed_read.hpp"

#include <algorithm>

#include "lib/protocol/fence.hpp"
#include "lib/read/lost_plan.hpp"
#include "lib/read/replay_position.hpp"
#include "lib/store/first_error.hpp"
#include "lib/store/stop_guard.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::chrono::milliseconds lease_min{50};

steady_time now() { return system_clock_source().now(); }

class routed_read {
 public:
  routed_read(read_host& host, read_request const& request) : host_(host), request_(request), begun_(now()) {}

  result<read_answer> run() {
    for (;;) {
      if (is_stopped()) return stopped();
      auto const choice = choose();
      switch (choice.place) {
        case read_place::primary:
          return on_primary();
        case read_place::wait:
          host_.wait_for_news(wait_end());
          break;
        case read_place::replica: {
          auto answer = on_replica(choice.replica);
          if (answer) return std::move(*answer);
          tried_.push_back(choice.replica);
          break;
        }
      }
    }
  }

 private:
  using outcome = read_outcome;
  bool is_stopped() const noexcept { return request_.options.cancel.stop_requested(); }
  static error stopped() { return error{error_code::cancelled, "the caller stopped a read"}; }

  // A stop cancels the running statement, and its answer is ignored.
  result<std::vector<result<rows>>> flush(lent_session const& lent, std::span<statement const> batch,
                                          steady_time deadline) {
    auto answers = [&] {
      stop_guard const guard{request_.options.cancel, *lent.link};
      return lent.link->flush(batch, deadline);
    }();
    if (is_stopped()) return stopped();
    return answers;
  }

  steady_time wait_end() const { return std::min(request_.deadline, begun_ + request_.options.wait_budget); }

  // How much of the deadline a replica may use, so that the primary can still answer.
  steady_time lease_end() const {
    return std::min(request_.deadline, std::max(wait_end(), now() + lease_min));
  }
  steady_time replica_end() const { return now() + (request_.deadline - now()) / 2; }

  read_choice choose() { return choose(now() < wait_end()); }
  read_choice choose(bool may_wait) {
    auto replicas = host_.replicas();
    for (auto const index : tried_)
      if (index < replicas.size()) replicas[index].tried = true;
    static read_need const nothing;
    auto const& need = guard_off("token_check") ? nothing : request_.need;
    return choose_replica(request_.fence ? consistency::primary : request_.options.fresh, need, replicas,
                          request_.turn, may_wait);
  }

  // Nothing: the replica is not far enough, or failed in a way that another node may not.
  std::optional<result<read_answer>> on_replica(std::size_t index) {
    auto const begun = now();
    host_.record(index, outcome::begun, {});
    auto ended_as = outcome::failed;
    auto answer = ask_replica(index, ended_as);
    host_.record(index, ended_as, now() - begun);
    return answer;
  }

  std::optional<result<read_answer>> ask_replica(std::size_t index, outcome& ended_as) {
    auto lent = host_.lend_replica(index, lease_end());
    if (!lent && lent.error().code() == error_code::deadline_exceeded)
      ended_as = outcome::not_far_enough;  // our pool is busy, not the replica
    if (!lent) return std::nullopt;
    auto const node = lent.value().link->identity();
    if (auto* const racer = request_.options.hedge_after > std::chrono::milliseconds{0} &&
                                    !request_.options.cancel.stop_possible()
                                ? host_.racer()
                                : nullptr) {
      racer->read_begun();
      read_race race{*racer};
      if (race.start(lent.value(), {replay_position_statement(), request_.what}, replica_end())) {
        lent.value() = {};  // the race has it, and gives it back
        return raced(race, *racer, index, node, ended_as);
      }
    }
    statement const batch[]{replay_position_statement(), request_.what};
    auto answers = flush(lent.value(), batch, replica_end());
    return judge_replica(index, node, answers, ended_as);
  }

  std::optional<result<read_answer>> judge_replica(std::size_t index, node_identity const& node,
                                                   result<std::vector<result<rows>>>& answers,
                                                   outcome& ended_as) {
    ended_as = outcome::failed;
    if (!answers || !answers.value()[0]) return std::nullopt;
    auto checked = check(answers.value(), node);
    auto& read = answers.value()[1];
    // After a conflict with replay (40001) or a lost connection the primary is asked (R5). An error of
    // the statement itself is the answer.
    if (!read &&
        (read.error().code() == error_code::serialization_failure || needs_reconnect(read.error().code())))
      return std::nullopt;
    ended_as = checked ? outcome::answered : outcome::not_far_enough;
    if (!checked) return std::nullopt;
    if (!read) return result<read_answer>{read.error()};
    return result<read_answer>{made(std::move(read).value(), host_.replica_name(index), checked)};
  }

  struct second_leg {
    bool is_replica{};
    bool is_recorded{};  // how it ended
    std::size_t index{};
    node_identity node;
  };

  // The first leg runs. If it is late, a second one starts. The first valid answer is the read's.
  std::optional<result<read_answer>> raced(read_race& race, read_racer& racer, std::size_t index,
                                           node_identity const& node, outcome& ended_as) {
    std::optional<second_leg> second;
    auto ended = race.next(now() + request_.options.hedge_after);
    if (!ended && race.running() > 0 && racer.may_hedge()) second = start_second(race, index);
    ended_as = outcome::answered;  // a leg that lost was slow, not broken: its time so far counts
    auto answer = first_answer(race, racer, index, node, ended_as, std::move(ended), second);
    if (second && second->is_replica && !second->is_recorded)
      host_.record(second->index, outcome::not_far_enough, {});
    return answer;
  }

  std::optional<result<read_answer>> first_answer(read_race& race, read_racer& racer, std::size_t index,
                                                  node_identity const& node, outcome& ended_as,
                                                  std::optional<read_race::finish> ended,
                                                  std::optional<second_leg>& second) {
    for (; ended || race.running() > 0; ended.reset()) {
      if (!ended) ended = race.next(request_.deadline);
      if (!ended) return std::nullopt;
      auto answer = ended->leg == 0 ? judge_replica(index, node, ended->answers, ended_as)
                                    : judge_second(*second, *ended);
      if (!answer) continue;
      if (ended->leg == 1) racer.hedge_won();
      if (*answer) answer->value().hedged = second.has_value();
      return answer;
    }
    return std::nullopt;
  }

  // Another replica that is far enough, otherwise the primary.
  std::optional<second_leg> start_second(read_race& race, std::size_t first) {
    tried_.push_back(first);
    auto const choice = choose(false);
    tried_.pop_back();
    second_leg leg{.is_replica = choice.place == read_place::replica,
                   .is_recorded = false,
                   .index = choice.replica,
                   .node = {}};
    auto const lease = std::min(request_.deadline, now() + lease_min);
    auto lent = leg.is_replica ? host_.lend_replica(leg.index, lease) : host_.lend_primary(lease);
    if (!lent) return std::nullopt;
    leg.node = lent.value().link->identity();
    std::vector<statement> batch{replay_position_statement(), request_.what};
    // On the primary a hedged read must not change anything: it would happen twice.
    if (!leg.is_replica) batch = {{.sql = "BEGIN READ ONLY"}, request_.what, {.sql = "COMMIT"}};
    if (!race.start(std::move(lent).value(), std::move(batch),
                    leg.is_replica ? replica_end() : request_.deadline))
      return std::nullopt;
    if (leg.is_replica) host_.record(leg.index, outcome::begun, {});
    return leg;
  }

  std::optional<result<read_answer>> judge_second(second_leg& leg, read_race::finish& ended) {
    if (leg.is_replica) {
      auto ended_as = outcome::failed;
      auto answer = judge_replica(leg.index, leg.node, ended.answers, ended_as);
      host_.record(leg.index, ended_as, ended.took);
      leg.is_recorded = true;
      if (!answer) tried_.push_back(leg.index);
      return answer;
    }
    if (!ended.answers || !ended.answers.value()[1])
      return std::nullopt;  // the first leg or the primary reports errors
    return result<read_answer>{
        made(std::move(ended.answers.value()[1]).value(), host_.primary_name(), std::nullopt)};
  }

  // The replay position if it has everything that is needed.
  std::optional<lsn> check(std::vector<result<rows>> const& answers, node_identity const& node) const {
    auto const reached = parse_replay_position(answers[0].value(), node);
    if (!reached) return std::nullopt;
    if (request_.need.position && !guard_off("token_check") && !satisfies(*reached, *request_.need.position))
      return std::nullopt;
    return reached->position;
  }

  result<rows> query(lent_session const& lent) {
    auto answer = [&] {
      stop_guard const guard{request_.options.cancel, *lent.link};
      return lent.link->query(request_.what, request_.deadline);
    }();
    if (is_stopped()) return stopped();
    return answer;
  }

  result<read_answer> on_primary() {
    BOOST_OUTCOME_TRY(auto lent, host_.lend_primary(request_.deadline));
    if (!request_.fence) {
      BOOST_OUTCOME_TRY(auto read, query(lent));
      return made(std::move(read), host_.primary_name(), std::nullopt);
    }
    statement const batch[]{
        {.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"},
        fence_statement(request_.fence->group, request_.fence->slot, request_.fence->epoch),
        request_.what,
        {.sql = "COMMIT"}};
    BOOST_OUTCOME_TRY(auto answers, flush(lent, batch, request_.deadline));
    // If its table has changed since it was prepared, the same batch prepares it anew.
    if (!answers[2] && is_plan_lost(answers[2].error()) && !lent.link->is_broken() &&
        !lent.link->in_transaction()) {
      BOOST_OUTCOME_TRY(answers, flush(lent, batch, request_.deadline));
    }
    BOOST_OUTCOME_TRYV(first_error(std::span{answers}.first(3)));
    return made(std::move(answers[2]).value(), host_.primary_name(), std::nullopt);
  }

  read_answer made(rows returned, std::string node, std::optional<lsn> position) const {
    return {.returned = std::move(returned),
            .node = std::move(node),
            .from_replica = position.has_value(),
            .position = position.value_or(lsn{}),
            .waited = std::chrono::duration_cast<std::chrono::microseconds>(now() - begun_)};
  }

  read_host& host_;
  read_request const& request_;
  steady_time begun_;
  std::vector<std::size_t> tried_;
};

}  // namespace

result<read_answer> read_routed(read_host& host, read_request const& request) {
  return routed_read{host, request}.run();
}

}  // namespace v0
}  // namespace shardway
