#include "lib/client/session/session_read.hpp"

#include <algorithm>

#include "lib/authority/authority_wait.hpp"
#include "lib/client/reads/node_reads.hpp"
#include "lib/client/reads/reference_read.hpp"
#include "lib/client/reads/session_need.hpp"
#include "lib/client/reads/shard_first.hpp"
#include "lib/client/reads/version_column.hpp"
#include "lib/read/routed_read.hpp"
#include "lib/sql/known_statement.hpp"
#include "lib/sql/statement_lexer.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds poll_min{50};      // for one poll, however short the wait budget
constexpr milliseconds poll_interval{3};  // between two polls

steady_time now() { return system_clock_source().now(); }

bool is_behind(session_state const& session) {
  return session.token.generation() > session.shared->generations.number();
}

// The token may be of a newer generation than this client's. Then the client polls first, so that it does not
// read a node that has handed the slot over (R9). If it finds nothing, the read asks the fence. A group that
// is still observing has no fence: the client polls as long as a read may wait.
result<> catch_up(session_state& session, std::string_view table, shard_key const& key, steady_time wait_end,
                  steady_time deadline) {
  auto& generations = session.shared->generations;
  while (is_behind(session)) {
    (void)generations.refresh(generations.number(), std::min(deadline, std::max(wait_end, now() + poll_min)));
    BOOST_OUTCOME_TRY(auto const target, session.locate(table, key));
    if (target.group->stage != stage::observing || now() >= wait_end) break;
    system_clock_source().sleep_until(std::min(wait_end, now() + poll_interval));
  }
  return success();
}

result<> check(known_statement const& known, read_options const& options, statement_kind& kind) {
  kind = known.lexed.kind;
  if (kind != statement_kind::select && kind != statement_kind::locking_select)
    return error{error_code::statement_refused, "a read: only a SELECT is allowed here",
                 "send changes with `execute` or `write`"};
  if (options.deadline <= milliseconds{0} || options.wait_budget < milliseconds{0} ||
      options.staleness_max < milliseconds{0} || options.hedge_after < milliseconds{0})
    return error{
        error_code::invalid_argument,
        "a read's deadline must be above 0, its wait_budget, staleness_max and hedge_after not below 0"};
  return success();
}

read_answer counted(client_state& shared, read_answer answer) {
  answer.returned = without_version_column(std::move(answer.returned));
  auto& counts = shared.counted;
  ++(answer.from_shard     ? counts.reads_shard
     : answer.from_replica ? counts.reads_replica
                           : counts.reads_primary);
  if (auto const& meter = shared.options.meter)
    meter->count("shardway_reads_total",
                 answer.from_shard     ? "shard"
                 : answer.from_replica ? "replica"
                                       : "primary",
                 1);
  return answer;
}

}  // namespace

result<read_answer> read_in_session(session_state& session, std::string_view table, shard_key const& key,
                                    statement what, read_options const& options) {
  statement_kind kind{};
  auto const known = know_statement(what.sql);
  BOOST_OUTCOME_TRYV(check(*known, options, kind));
  auto const deadline = now() + options.deadline;
  what.name = known->name;
  BOOST_OUTCOME_TRYV(
      catch_up(session, table, key, std::min(deadline, now() + options.wait_budget), deadline));
  authority_wait wait{session, deadline, options.cancel};
  shard_readers const shards{session.shared->pools, session.shared->replicas};
  for (;;) {
    auto const view = session.views.current();
    BOOST_OUTCOME_TRY(auto const target, session.locate(table, key));
    read_request request{.what = what,
                         .options = options,
                         .need = need_of(session.token, session.shared->replicas, target, options),
                         .turn = session.shared->turn++,
                         .deadline = deadline};
    bool const behind = session.token.generation() > view->current.number;
    bool const on_authority =
        behind || options.fresh == consistency::primary || kind == statement_kind::locking_select;
    if (on_authority && target.group->stage != stage::observing)
      request.fence = read_fence{target.group->name, target.slot, wait.expected(target)};
    if (on_authority) request.options.fresh = consistency::primary;
    if (kind == statement_kind::select && request.options.fresh != consistency::primary) {
      if (auto answer = read_from_shard(shards, target, request))
        return counted(*session.shared, std::move(*answer));
      if (auto answer = read_reference_copy(shards, target, request))
        return counted(*session.shared, std::move(*answer));
    }
    node_reads host{session.shared->pools, session.shared->replicas, &session.shared->hedges, *view,
                    target.node};
    auto answer = read_routed(host, request);
    if (answer) {
      auto returned = counted(*session.shared, std::move(answer).value());
      if (kind == statement_kind::select) session.shared->shadows.answered(target, what, returned);
      return returned;
    }
    auto const code = answer.error().code();
    if (code != error_code::fence_closed && code != error_code::epoch_stale) return answer;
    BOOST_OUTCOME_TRYV(wait.after(target, answer.error()));
  }
}

}  // namespace v0
}  // namespace shardway
