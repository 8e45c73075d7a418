#include "lib/client/session/commit_resolver.hpp"

#include <algorithm>

#include "lib/pg/in_doubt.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using kind = commit_outcome_kind;
using std::chrono::milliseconds;

constexpr milliseconds pause{25};

steady_time now() { return system_clock_source().now(); }

commit_outcome in_doubt(std::string why) {
  return {kind::in_doubt, error{error_code::in_doubt, std::move(why)}};
}

// A backend that waits for a synchronous standby is left alone: to end it would commit locally.
constexpr char end_backend_sql[] =
    "SELECT CASE WHEN wait_event IS DISTINCT FROM 'SyncRep' THEN pg_catalog.pg_terminate_backend(pid) ELSE "
    "false END "
    "FROM pg_catalog.pg_stat_activity WHERE pid = $1::int AND backend_start = $2::timestamptz";

// Nothing: the old backend still runs.
result<std::optional<commit_outcome>> find_outcome(session& node_session, commit_question const& question,
                                                   steady_time deadline) {
  BOOST_OUTCOME_TRY(auto const recovery,
                    node_session.query({.sql = "SELECT pg_catalog.pg_is_in_recovery()"}, deadline));
  if (recovery.boolean(0, 0)) return std::optional<commit_outcome>{};
  BOOST_OUTCOME_TRY(auto const alive,
                    node_session.query({.sql = end_backend_sql,
                                        .parameters = {std::to_string(question.facts.backend_pid),
                                                       question.facts.backend_start}},
                                       deadline));
  if (!alive.empty()) return std::optional<commit_outcome>{};
  if (!question.write)
    return std::optional{in_doubt(
        "the connection broke before its transaction's id had arrived, and there is no outbox row to ask")};
  BOOST_OUTCOME_TRY(
      auto const found,
      node_session.query({.sql = "SELECT 1 FROM shardway.outbox WHERE write_id = $1::uuid LIMIT 1",
                          .parameters = {question.write->to_string()}},
                         deadline));
  if (!found.empty()) return std::optional{commit_outcome{kind::committed, {}}};
  // Behind a pooler the backend is not known: the transaction may still be running.
  if (question.facts.backend_pid == 0) return std::optional<commit_outcome>{};
  return std::optional{commit_outcome{kind::rolled_back, {}}};
}

commit_outcome without_xid(connect_options const& node, commit_question const& question,
                           steady_time deadline) {
  std::string why = "it was not known by the deadline";
  while (now() < deadline) {
    auto address = node;
    address.connect_timeout =
        std::clamp(std::chrono::ceil<milliseconds>(deadline - now()), milliseconds{1}, node.connect_timeout);
    auto node_session = connect(address);
    while (node_session && now() < deadline) {
      auto const known = find_outcome(*node_session.value(), question, deadline);
      if (known && known.value()) return *known.value();
      if (!known) {
        why = known.error().message();
        break;
      }
      system_clock_source().sleep_until(std::min(deadline, now() + pause));
    }
    if (!node_session) why = node_session.error().message();
    system_clock_source().sleep_until(std::min(deadline, now() + pause));
  }
  return in_doubt(why);
}

}  // namespace

commit_outcome resolve_question(connect_options const& node, commit_question const& question,
                                steady_time deadline) {
  if (question.xid.empty() || question.facts.timeline.size() != 8)
    return without_xid(node, question, deadline);
  in_doubt_evidence const evidence{.system_identifier = question.facts.system_identifier,
                                   .backend_pid = question.facts.backend_pid,
                                   .backend_start = question.facts.backend_start,
                                   .xid = question.xid,
                                   .timeline = question.facts.timeline,
                                   .statistics_start = question.facts.statistics_start,
                                   .write = question.write};
  auto const found = resolve_commit(node, evidence, deadline);
  if (!found) return {kind::in_doubt, found.error()};
  return found.value();
}

}  // namespace v0
}  // namespace shardway
