#include "lib/migrate/wave/flip.hpp"

#include <algorithm>
#include <random>
#include <thread>

#include <absl/strings/str_join.h>

#include "lib/protocol/progress.hpp"
#include "lib/store/first_error.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::wave {
namespace {

using std::chrono::milliseconds;

// Everyone who holds a lock that EXCLUSIVE waits for. A dump's ACCESS SHARE is no such lock. Prepared
// transactions have no session.
result<std::vector<std::string>> read_blockers(session& node, std::string const& group) {
  BOOST_OUTCOME_TRY(
      auto const found,
      node.query({.sql =
                      "SELECT CASE WHEN l.pid IS NULL THEN 'a prepared transaction' ELSE 'pid ' || l.pid || "
                      "', application ' || "
                      "coalesce(a.application_name, 'unknown') || ', in transaction for ' || "
                      "coalesce(round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, "
                      "1)::text, '?') || ' s' END "
                      "FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
                      "WHERE l.relation = $1::regclass AND l.granted AND l.mode NOT IN ('AccessShareLock', "
                      "'SIReadLock') "
                      "AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = "
                      "current_database()) "
                      "AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() LIMIT 20",
                  .parameters = {names::fence_lock(group)}}));
  std::vector<std::string> blockers;
  for (std::size_t i = 0; i < found.size(); ++i) blockers.emplace_back(found.text(i, 0));
  return blockers;
}

std::vector<statement> flip_statements(flip_request const& request, std::int64_t token,
                                       milliseconds lock_timeout) {
  std::vector<statement> statements{{.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"},
                                    {.sql = "SELECT pg_catalog.set_config('lock_timeout', $1::text, true)",
                                     .parameters = {std::to_string(lock_timeout.count()) + "ms"}},
                                    engine_check_statement(token, "wave"),
                                    flip_lock_statement(request.group)};
  for (auto const& change : request.changes)
    statements.push_back(flip_statement(request.group, change.slots, change.epoch, change.open,
                                        request.wave.empty() ? std::nullopt : std::optional(request.wave),
                                        request.deadline));
  statements.push_back({.sql = "COMMIT"});
  return statements;
}

// One flush. After a failed statement, COMMIT rolls back: no exit leaves the lock behind.
result<> try_flip(session& node, flip_request const& request, std::int64_t token, milliseconds lock_timeout) {
  auto const statements = flip_statements(request, token, lock_timeout);
  BOOST_OUTCOME_TRY(auto const answers,
                    node.flush(statements, steady_now() + lock_timeout + std::chrono::seconds{10}));
  return first_error(answers);
}

void jitter(milliseconds up_to) {
  thread_local std::minstd_rand random{std::random_device{}()};
  sleep_for(milliseconds{std::uniform_int_distribution<long>(1, std::max<long>(1, up_to.count()))(random)});
}

error spent(session& node, std::string const& group, std::vector<std::string> const& blockers) {
  auto const who = blockers.empty() ? std::string("nobody now") : absl::StrJoin(blockers, "; ");
  return error(error_code::stall_budget_spent,
               "the fence of group " + group + " could not be locked within the budget; held by: " + who,
               "end the transactions named, or run the wave again when they have ended")
      .at_node(node.identity().name);
}

}  // namespace

result<> flip_within(session& node, flip_request const& request, std::int64_t token,
                     milliseconds lock_timeout, steady_time until, std::vector<std::string>& blockers) {
  for (;;) {
    auto const tried = try_flip(node, request, token, lock_timeout);
    if (tried) return success();
    if (tried.error().sqlstate() != "55P03") return tried.error();
    BOOST_OUTCOME_TRY(auto now_holding, read_blockers(node, request.group));
    if (!now_holding.empty()) blockers = std::move(now_holding);
    // Between two tries, the writers that queued behind the lock pass.
    if (steady_now() + lock_timeout >= until) return spent(node, request.group, blockers);
    jitter(lock_timeout);
  }
}

result<std::vector<fence_row>> read_fence(session& node, std::string const& group) {
  BOOST_OUTCOME_TRY(auto const answer, node.query(read_fence_statement(group)));
  return parse_fence(answer);
}

std::vector<fence_row> cut_by_fence(std::vector<fence_row> const& fence,
                                    std::vector<slot_range> const& ranges) {
  std::vector<fence_row> cut;
  for (auto const& range : ranges)
    for (auto const& row : fence)
      if (row.slots.overlaps(range)) {
        cut.push_back(row);
        cut.back().slots = {std::max(row.slots.first, range.first), std::min(row.slots.last, range.last)};
      }
  return cut;
}

result<std::int64_t> write_marker(session& node, std::string const& wave, std::int64_t token) {
  std::vector<statement> const statements{{.sql = "BEGIN ISOLATION LEVEL READ COMMITTED"},
                                          engine_check_statement(token, "wave"),
                                          marker_statement(wave),
                                          {.sql = "COMMIT"}};
  BOOST_OUTCOME_TRY(auto const answers, node.flush(statements));
  BOOST_OUTCOME_TRYV(first_error(answers));
  return answers[2].value().integer(0, 0);
}

result<> await_marker(session& node, std::string const& stream, std::int64_t marker, steady_time until) {
  for (;;) {
    // A node that has stopped answering must not hold the wave past its budget.
    BOOST_OUTCOME_TRY(auto const answer,
                      node.query(read_progress_statement(stream), until + std::chrono::milliseconds{500}));
    BOOST_OUTCOME_TRY(auto const progress, parse_progress(answer));
    if (progress.marker >= marker) return success();
    if (steady_now() >= until)
      return error(error_code::stall_budget_spent,
                   "stream " + stream + " had not passed the marker within the budget; it was at " +
                       progress.applied.to_string(),
                   "look at the stream's lag and errors with `shardway migrate status`, then run the wave "
                   "again")
          .at_node(node.identity().name);
    sleep_for(std::chrono::microseconds{500});
  }
}

result<lsn> current_lsn(session& node) {
  BOOST_OUTCOME_TRY(auto const answer, node.query({.sql = "SELECT pg_catalog.pg_current_wal_insert_lsn()"}));
  auto const position = lsn::parse(answer.text(0, 0));
  if (!position)
    return error(error_code::protocol_violation, "the server sent no LSN").at_node(node.identity().name);
  return *position;
}

}  // namespace migrate::wave
}  // namespace v0
}  // namespace shardway
