#include "lib/read/part_read.hpp"

#include <algorithm>

#include "lib/read/lost_plan.hpp"
#include "lib/read/replay_position.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace {

bool is_missing_object(error const& why) {
  return why.sqlstate() == "42P01" || why.sqlstate() == "3F000" || why.sqlstate() == "42883";
}

using std::chrono::milliseconds;

steady_time now() { return system_clock_source().now(); }

statement aggregate_check(std::vector<std::string> const& names) {
  return {.sql =
              "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_proc WHERE proname = ANY ($1::text[]) AND prokind "
              "IN ('a', 'w'))",
          .parameters = {text_array(names)},
          .name = "shardway_aggregates"};
}

class part_read {
 public:
  part_read(read_host& host, part_request const& request) : host_(host), request_(request), begun_(now()) {}

  result<part_answer> run() {
    for (;;) {
      auto const choice = choose();
      switch (choice.place) {
        case read_place::primary:
          return on_primary();
        case read_place::wait:
          host_.wait_for_news(wait_end());
          break;
        case read_place::replica: {
          auto const asked = now();
          host_.record(choice.replica, read_outcome::begun, {});
          auto ended_as = read_outcome::failed;
          auto answer = on_replica(choice.replica, ended_as);
          host_.record(choice.replica, ended_as, now() - asked);
          if (answer) return std::move(*answer);
          tried_.push_back(choice.replica);
          break;
        }
      }
    }
  }

 private:
  steady_time wait_end() const { return std::min(request_.deadline, begun_ + request_.options.wait_budget); }

  read_choice choose() {
    auto replicas = host_.replicas();
    for (auto const index : tried_)
      if (index < replicas.size()) replicas[index].tried = true;
    return choose_replica(request_.options.fresh, request_.need, replicas, request_.turn, now() < wait_end());
  }

  std::vector<statement> batch(steady_time until) const {
    std::vector<statement> all;
    if (!request_.calls.empty()) all.push_back(aggregate_check(request_.calls));
    all.push_back(begin_snapshot_statement());
    auto const left = std::max(milliseconds{1}, std::chrono::ceil<milliseconds>(until - now()));
    all.push_back(read_fence_check_statement(request_.group, request_.expected, left));
    all.push_back(request_.what);
    all.push_back({.sql = "COMMIT"});
    return all;
  }

  result<part_answer> judged(std::vector<result<rows>>& answers, std::size_t first, std::string node,
                             bool from_replica) const {
    part_answer made{.fence = {}, .returned = {}, .node = std::move(node), .from_replica = from_replica};
    auto index = first;
    if (!request_.calls.empty()) {
      if (!answers[index]) return answers[index].error();
      made.calls_aggregate = answers[index++].value().boolean(0, 0);
    }
    for (auto const end = index + 2; index < end; ++index)
      if (!answers[index]) return answers[index].error();
    BOOST_OUTCOME_TRY(auto const fence, parse_read_fence(answers[index - 1].value()));
    made.fence = fence;
    if (guard_off("read_fence")) made.fence.refused.reset();
    if (made.fence.refused) return made;
    if (!answers[index]) return answers[index].error();
    made.returned = std::move(answers[index]).value();
    return made;
  }

  // Nothing: the replica is not far enough, has no authority in its snapshot, or failed in a way that
  // another node may not.
  std::optional<result<part_answer>> on_replica(std::size_t index, read_outcome& ended_as) {
    auto const until = now() + (request_.deadline - now()) / 2;  // leaves time for the primary
    auto lent = host_.lend_replica(index, until);
    if (!lent) return std::nullopt;
    auto statements = batch(until);
    // Before the snapshot is taken: what the snapshot sees is at least as new (R3).
    statements.insert(statements.begin(), replay_position_statement());
    auto answers = lent.value().link->flush(statements, until);
    if (!answers || !answers.value()[0]) return std::nullopt;
    ended_as = read_outcome::not_far_enough;
    if (!is_far_enough(answers.value()[0].value(), lent.value().link->identity())) return std::nullopt;
    auto made = judged(answers.value(), 1, host_.replica_name(index), true);
    // A replica that has not replayed our own tables yet is not far enough. A lost plan is no failure of
    // the replica either.
    if (!made && (is_missing_object(made.error()) || is_plan_lost(made.error()))) return std::nullopt;
    bool const conflict = !made && (made.error().code() == error_code::serialization_failure ||
                                    needs_reconnect(made.error().code()));
    if (conflict) ended_as = read_outcome::failed;
    if (conflict || (made && made.value().fence.refused)) return std::nullopt;
    ended_as = read_outcome::answered;
    return made;
  }

  bool is_far_enough(rows const& answer, node_identity const& node) const {
    auto const reached = parse_replay_position(answer, node);
    if (!reached) return false;
    return !request_.need.position || guard_off("token_check") ||
           satisfies(*reached, *request_.need.position);
  }

  result<part_answer> on_primary() {
    BOOST_OUTCOME_TRY(auto lent, host_.lend_primary(request_.deadline));
    auto const statements = batch(request_.deadline);
    BOOST_OUTCOME_TRY(auto answers, lent.link->flush(statements, request_.deadline));
    auto first = judged(answers, 0, host_.primary_name(), false);
    if (first || !is_plan_lost(first.error()) || lent.link->is_broken() || lent.link->in_transaction())
      return first;
    BOOST_OUTCOME_TRY(auto again, lent.link->flush(statements, request_.deadline));
    return judged(again, 0, host_.primary_name(), false);
  }

  read_host& host_;
  part_request const& request_;
  steady_time begun_;
  std::vector<std::size_t> tried_;
};

}  // namespace

result<part_answer> read_part(read_host& host, part_request const& request) {
  return part_read{host, request}.run();
}

}  // namespace v0
}  // namespace shardway
