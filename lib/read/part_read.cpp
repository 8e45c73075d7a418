// One node's part of a read: who answers it, and the proof of authority in its own snapshot.
#include <algorithm>

#include "lib/read/lost_plan.hpp"
#include "lib/read/scatter_read.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {
namespace {

bool is_missing_object(error const& why) {
  return why.sqlstate() == "42P01" || why.sqlstate() == "3F000" || why.sqlstate() == "42883";
}

using std::chrono::milliseconds;

steady_time now() { return system_clock_source().now(); }

// A statement of its own before the snapshot is taken: what the snapshot sees is at least that far (R3).
statement position_check() {
  return {.sql =
              "SELECT pg_catalog.pg_last_wal_replay_lsn(), pg_catalog.pg_is_in_recovery(), "
              "(SELECT coalesce(max(incarnation), 0) FROM shardway.incarnation)",
          .name = "shardway_replay"};
}

statement aggregate_check(std::vector<std::string> const& names) {
  std::string list = "{";
  for (auto const& name : names) {
    list.append(list.size() == 1 ? "\"" : ",\"");
    for (char const c : name) list.append(c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c});
    list += '"';
  }
  return {.sql =
              "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_proc WHERE proname = ANY ($1::text[]) AND prokind "
              "IN ('a', 'w'))",
          .parameters = {list + "}"},
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
          host_.told(choice.replica, read_host::replica_news::begun, {});
          auto how = read_host::replica_news::failed;
          auto answer = on_replica(choice.replica, how);
          host_.told(choice.replica, how, now() - asked);
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
    auto at = first;
    if (!request_.calls.empty()) {
      if (!answers[at]) return answers[at].error();
      made.calls_aggregate = answers[at++].value().boolean(0, 0);
    }
    for (auto const end = at + 2; at < end; ++at)
      if (!answers[at]) return answers[at].error();
    BOOST_OUTCOME_TRY(auto const fence, parse_read_fence(answers[at - 1].value()));
    made.fence = fence;
    if (guard_off("read_fence")) made.fence.refused.reset();
    if (made.fence.refused) return made;
    if (!answers[at]) return answers[at].error();
    made.returned = std::move(answers[at]).value();
    return made;
  }

  // Nothing: not far enough, without authority in its snapshot, or failed in a way that another node may not.
  std::optional<result<part_answer>> on_replica(std::size_t index, read_host::replica_news& how) {
    auto const until = now() + (request_.deadline - now()) / 2;  // so that the primary can still answer
    auto lent = host_.lend_replica(index, until);
    if (!lent) return std::nullopt;
    auto statements = batch(until);
    statements.insert(statements.begin(), position_check());
    auto answers = lent.value().link->flush(statements, until);
    if (!answers || !answers.value()[0]) return std::nullopt;
    how = read_host::replica_news::not_far_enough;
    if (!is_far_enough(answers.value()[0].value(), lent.value().link->identity())) return std::nullopt;
    auto made = judged(answers.value(), 1, host_.replica_name(index), true);
    // A replica that has not replayed our own tables yet is not far enough; neither is a lost plan its fault.
    if (!made && (is_missing_object(made.error()) || is_plan_lost(made.error()))) return std::nullopt;
    bool const conflict = !made && (made.error().code() == error_code::serialization_failure ||
                                    needs_reconnect(made.error().code()));
    if (conflict) how = read_host::replica_news::failed;
    if (conflict || (made && made.value().fence.refused)) return std::nullopt;
    how = read_host::replica_news::answered;
    return made;
  }

  bool is_far_enough(rows const& said, node_identity const& node) const {
    auto const position = said.size() == 1 ? lsn::parse(said.text(0, 0)) : std::nullopt;
    auto const incarnation = said.size() == 1 ? said.integer(0, 2) : result<std::int64_t>{std::int64_t{0}};
    if (!position || !incarnation || !said.boolean(0, 1)) return false;
    token_position const at{node.system_identifier, static_cast<std::int32_t>(incarnation.value()),
                            *position};
    return !request_.need.position || guard_off("token_check") || satisfies(at, *request_.need.position);
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
