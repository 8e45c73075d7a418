#include "lib/read/routed_read.hpp"

#include <algorithm>

#include "lib/protocol/fence.hpp"
#include "lib/read/lost_plan.hpp"
#include "lib/store/stop_guard.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::chrono::milliseconds lease_min{50};

steady_time now() { return system_clock_source().now(); }

// Asked in the read's own batch, before the read: what the read sees is at least that far (R3). A promoted
// replica says so here (R2).
statement position_check() {
  return {.sql =
              "SELECT pg_catalog.pg_last_wal_replay_lsn(), pg_catalog.pg_is_in_recovery(), "
              "(SELECT coalesce(max(incarnation), 0) FROM shardway.incarnation)",
          .name = "shardway_replay"};
}

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
  using news = read_host::replica_news;
  bool is_stopped() const noexcept { return request_.options.cancel.stop_requested(); }
  static error stopped() { return error{error_code::cancelled, "the caller stopped a read"}; }

  // A stop cancels what runs; what it answers then is no answer.
  result<std::vector<result<rows>>> flush(lent_session const& on, std::span<statement const> batch,
                                          steady_time deadline) {
    auto answers = [&] {
      stop_guard const guard{request_.options.cancel, *on.link};
      return on.link->flush(batch, deadline);
    }();
    if (is_stopped()) return stopped();
    return answers;
  }

  steady_time wait_end() const { return std::min(request_.deadline, begun_ + request_.options.wait_budget); }

  // What a replica may take of the deadline, so that the primary can still answer.
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

  // Nothing: not far enough, or failed in a way that another node may not.
  std::optional<result<read_answer>> on_replica(std::size_t index) {
    auto const begun = now();
    host_.told(index, news::begun, {});
    auto how = news::failed;
    auto answer = ask_replica(index, how);
    host_.told(index, how, now() - begun);
    return answer;
  }

  std::optional<result<read_answer>> ask_replica(std::size_t index, news& how) {
    auto lent = host_.lend_replica(index, lease_end());
    if (!lent && lent.error().code() == error_code::deadline_exceeded)
      how = news::not_far_enough;  // our pool is busy, not the replica
    if (!lent) return std::nullopt;
    auto const node = lent.value().link->identity();
    if (auto* const racer = request_.options.hedge_after > std::chrono::milliseconds{0} &&
                                    !request_.options.cancel.stop_possible()
                                ? host_.racer()
                                : nullptr) {
      racer->read_begun();
      read_race race{*racer};
      if (race.start(lent.value(), {position_check(), request_.what}, replica_end())) {
        lent.value() = {};  // the race has it, and gives it back
        return raced(race, *racer, index, node, how);
      }
    }
    statement const batch[]{position_check(), request_.what};
    auto answers = flush(lent.value(), batch, replica_end());
    return replica_said(index, node, answers, how);
  }

  std::optional<result<read_answer>> replica_said(std::size_t index, node_identity const& node,
                                                  result<std::vector<result<rows>>>& answers, news& how) {
    how = news::failed;
    if (!answers || !answers.value()[0]) return std::nullopt;
    auto checked = check(answers.value(), node);
    auto& read = answers.value()[1];
    // A conflict with replay (40001), or a connection that broke: the primary knows better (R5). An error of
    // the statement is an error.
    if (!read &&
        (read.error().code() == error_code::serialization_failure || needs_reconnect(read.error().code())))
      return std::nullopt;
    how = checked ? news::answered : news::not_far_enough;
    if (!checked) return std::nullopt;
    if (!read) return result<read_answer>{read.error()};
    return result<read_answer>{made(std::move(read).value(), host_.replica_name(index), checked)};
  }

  struct second_leg {
    bool is_replica{};
    bool is_told{};  // how it ended
    std::size_t index{};
    node_identity node;
  };

  // The first leg runs. Where it is late, a second one starts; the first answer that counts is the read's.
  std::optional<result<read_answer>> raced(read_race& race, read_racer& racer, std::size_t index,
                                           node_identity const& node, news& how) {
    std::optional<second_leg> second;
    auto ended = race.next(now() + request_.options.hedge_after);
    if (!ended && race.running() > 0 && racer.may_hedge()) second = start_second(race, index);
    how = news::answered;  // a leg that lost was slow, not broken: what it took so far is learnt
    auto answer = first_answer(race, racer, index, node, how, std::move(ended), second);
    if (second && second->is_replica && !second->is_told) host_.told(second->index, news::not_far_enough, {});
    return answer;
  }

  std::optional<result<read_answer>> first_answer(read_race& race, read_racer& racer, std::size_t index,
                                                  node_identity const& node, news& how,
                                                  std::optional<read_race::finish> ended,
                                                  std::optional<second_leg>& second) {
    for (; ended || race.running() > 0; ended.reset()) {
      if (!ended) ended = race.next(request_.deadline);
      if (!ended) return std::nullopt;
      auto answer =
          ended->leg == 0 ? replica_said(index, node, ended->answers, how) : second_said(*second, *ended);
      if (!answer) continue;
      if (ended->leg == 1) racer.hedge_won();
      if (*answer) answer->value().hedged = second.has_value();
      return answer;
    }
    return std::nullopt;
  }

  // Another replica that is far enough, else the primary.
  std::optional<second_leg> start_second(read_race& race, std::size_t first) {
    tried_.push_back(first);
    auto const choice = choose(false);
    tried_.pop_back();
    second_leg leg{.is_replica = choice.place == read_place::replica,
                   .is_told = false,
                   .index = choice.replica,
                   .node = {}};
    auto const lease = std::min(request_.deadline, now() + lease_min);
    auto lent = leg.is_replica ? host_.lend_replica(leg.index, lease) : host_.lend_primary(lease);
    if (!lent) return std::nullopt;
    leg.node = lent.value().link->identity();
    std::vector<statement> batch{position_check(), request_.what};
    // On the primary a read that is hedged may not change anything: it would be done twice.
    if (!leg.is_replica) batch = {{.sql = "BEGIN READ ONLY"}, request_.what, {.sql = "COMMIT"}};
    if (!race.start(std::move(lent).value(), std::move(batch),
                    leg.is_replica ? replica_end() : request_.deadline))
      return std::nullopt;
    if (leg.is_replica) host_.told(leg.index, news::begun, {});
    return leg;
  }

  std::optional<result<read_answer>> second_said(second_leg& leg, read_race::finish& ended) {
    if (leg.is_replica) {
      auto how = news::failed;
      auto answer = replica_said(leg.index, leg.node, ended.answers, how);
      host_.told(leg.index, how, ended.took);
      leg.is_told = true;
      if (!answer) tried_.push_back(leg.index);
      return answer;
    }
    if (!ended.answers || !ended.answers.value()[1])
      return std::nullopt;  // an error is the first leg's or the primary's to tell
    return result<read_answer>{
        made(std::move(ended.answers.value()[1]).value(), host_.primary_name(), std::nullopt)};
  }

  // The replay position if it has everything that is needed.
  std::optional<lsn> check(std::vector<result<rows>> const& answers, node_identity const& node) const {
    auto const& said = answers[0].value();
    auto const position = said.size() == 1 ? lsn::parse(said.text(0, 0)) : std::nullopt;
    auto const incarnation = said.size() == 1 ? said.integer(0, 2) : result<std::int64_t>{std::int64_t{0}};
    if (!position || !incarnation || !said.boolean(0, 1)) return std::nullopt;
    token_position const at{node.system_identifier, static_cast<std::int32_t>(incarnation.value()),
                            *position};
    if (request_.need.position && !guard_off("token_check") && !satisfies(at, *request_.need.position))
      return std::nullopt;
    return position;
  }

  result<rows> query(lent_session const& on) {
    auto answer = [&] {
      stop_guard const guard{request_.options.cancel, *on.link};
      return on.link->query(request_.what, request_.deadline);
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
    // Its table has changed since it was prepared: once more, prepared anew.
    if (!answers[2] && is_plan_lost(answers[2].error()) && !lent.link->is_broken() &&
        !lent.link->in_transaction()) {
      BOOST_OUTCOME_TRY(answers, flush(lent, batch, request_.deadline));
    }
    for (std::size_t i = 0; i < 3; ++i)
      if (!answers[i]) return answers[i].error();
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
