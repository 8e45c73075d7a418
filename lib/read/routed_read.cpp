#include "shardway/read/routed_read.hpp"

#include <algorithm>

#include "shardway/base/test_switch.hpp"
#include "shardway/protocol/fence.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::chrono::milliseconds lease_min{50};

steady_time now() { return system_clock_source().now(); }

// Asked in the read's own batch, before the read: what the read sees is at least that far (R3). A promoted replica says so here (R2).
statement position_check() {
  return {.sql = "SELECT pg_catalog.pg_last_wal_replay_lsn(), pg_catalog.pg_is_in_recovery(), "
                 "(SELECT coalesce(max(incarnation), 0) FROM shardway.incarnation)",
          .name = "shardway_replay"};
}


class routed_read {
 public:
  routed_read(read_host& host, read_request const& request) : host_(host), request_(request), begun_(now()) {}

  result<read_answer> run() {
    for (;;) {
      auto const choice = choose();
      switch (choice.place) {
        case read_place::primary: return on_primary();
        case read_place::wait: host_.wait_for_news(wait_end()); break;
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
  steady_time wait_end() const { return std::min(request_.deadline, begun_ + request_.options.wait_budget); }

  // What a replica may take of the deadline, so that the primary can still answer.
  steady_time lease_end() const { return std::min(request_.deadline, std::max(wait_end(), now() + lease_min)); }
  steady_time replica_end() const { return now() + (request_.deadline - now()) / 2; }

  read_choice choose() {
    auto replicas = host_.replicas();
    for (auto const index : tried_)
      if (index < replicas.size()) replicas[index].tried = true;
    static read_need const nothing;
    auto const& need = guard_off("token_check") ? nothing : request_.need;
    return choose_replica(request_.fence ? consistency::primary : request_.options.fresh, need, replicas, request_.turn,
        now() < wait_end());
  }

  // Nothing: not far enough, or failed in a way that another node may not.
  std::optional<result<read_answer>> on_replica(std::size_t index) {
    auto lent = host_.lend_replica(index, lease_end());
    if (!lent) return std::nullopt;
    statement const batch[]{position_check(), request_.what};
    auto answers = lent.value().link->flush(batch, replica_end());
    if (!answers || !answers.value()[0]) return std::nullopt;
    auto checked = check(answers.value(), lent.value().link->identity());
    if (!checked) return std::nullopt;
    auto& read = answers.value()[1];
    if (!read) {
      // A conflict with replay (40001), or a connection that broke: the primary knows better (R5). An error of the statement is an error.
      if (read.error().code() == error_code::serialization_failure || needs_reconnect(read.error().code())) return std::nullopt;
      return result<read_answer>{read.error()};
    }
    return result<read_answer>{made(std::move(read).value(), host_.replica_name(index), checked)};
  }

  // The replay position if it has everything that is needed.
  std::optional<lsn> check(std::vector<result<rows>> const& answers, node_identity const& node) const {
    auto const& said = answers[0].value();
    auto const position = said.size() == 1 ? lsn::parse(said.text(0, 0)) : std::nullopt;
    auto const incarnation = said.size() == 1 ? said.integer(0, 2) : result<std::int64_t>{std::int64_t{0}};
    if (!position || !incarnation || !said.boolean(0, 1)) return std::nullopt;
    token_position const at{node.system_identifier, static_cast<std::int32_t>(incarnation.value()), *position};
    if (request_.need.position && !guard_off("token_check") && !satisfies(at, *request_.need.position)) return std::nullopt;
    return position;
  }

  result<read_answer> on_primary() {
    BOOST_OUTCOME_TRY(auto lent, host_.lend_primary(request_.deadline));
    if (!request_.fence) {
      BOOST_OUTCOME_TRY(auto read, lent.link->query(request_.what, request_.deadline));
      return made(std::move(read), host_.primary_name(), std::nullopt);
    }
    statement const batch[]{{.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"},
                            fence_statement(request_.fence->group, request_.fence->slot, request_.fence->at),
                            request_.what,
                            {.sql = "COMMIT"}};
    BOOST_OUTCOME_TRY(auto answers, lent.link->flush(batch, request_.deadline));
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

result<read_answer> read_routed(read_host& host, read_request const& request) { return routed_read{host, request}.run(); }

}  // namespace v0
}  // namespace shardway
