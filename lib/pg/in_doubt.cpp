#include "lib/pg/in_doubt.hpp"

#include <algorithm>

namespace shardway {
inline namespace v0 {
namespace {

using kind = commit_outcome_kind;
using verdict = std::optional<commit_outcome>;  // nothing: not known yet, try again
using std::chrono::milliseconds;

constexpr milliseconds pause{25};  // between two tries

constexpr char evidence_sql[] =
    "SELECT pg_catalog.pg_backend_pid(), a.backend_start::text, pg_catalog.pg_current_xact_id()::text, "
    "pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8), b.stats_reset::text "
    "FROM pg_catalog.pg_stat_activity a CROSS JOIN pg_catalog.pg_stat_bgwriter b WHERE a.pid = "
    "pg_catalog.pg_backend_pid()";

// NULL during recovery: the server cannot say anything yet.
constexpr char incarnation_sql[] =
    "SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN "
    "pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8) END, "
    "(SELECT stats_reset::text FROM pg_catalog.pg_stat_bgwriter), "
    "pg_catalog.current_setting('synchronous_standby_names') <> ''";

// Finds the old backend while it runs the transaction, and ends it unless it waits for a synchronous standby.
constexpr char end_backend_sql[] =
    "SELECT CASE WHEN wait_event IS DISTINCT FROM 'SyncRep' THEN pg_catalog.pg_terminate_backend(pid) ELSE "
    "false END "
    "FROM pg_catalog.pg_stat_activity WHERE pid = $1::int AND backend_start = $2::timestamptz AND "
    "backend_xid = ($3::xid8)::xid";

struct incarnation {
  bool is_same_timeline{};
  bool is_same_run{};  // the server has not crashed since
  bool has_synchronous_standbys{};
};

commit_outcome in_doubt_because(error why) { return {kind::in_doubt, std::move(why)}; }

error unresolved(in_doubt_evidence const& evidence, std::string const& node, std::string what) {
  auto const whose = evidence.write ? "write " + evidence.write->to_string() : "transaction " + evidence.xid;
  return error{error_code::in_doubt, whose + " on node \"" + node + "\": " + std::move(what),
               "do not retry it; look for the row, or resolve it again later"}
      .at_node(node);
}

class resolver {
 public:
  resolver(session& link, in_doubt_evidence const& evidence, bool& has_ended_backend, steady_time deadline)
      : session_(link), evidence_(evidence), has_ended_backend_(has_ended_backend), deadline_(deadline) {}

  result<verdict> try_once() {
    BOOST_OUTCOME_TRY(auto const now, session_.query({incarnation_sql}, deadline_));
    if (!now.at(0, 0)) return verdict{};
    incarnation const found{session_.identity().system_identifier == evidence_.system_identifier &&
                                now.text(0, 0) == evidence_.timeline,
                            now.text(0, 1) == evidence_.statistics_start, now.boolean(0, 2)};
    return found.is_same_timeline ? same_server(found) : after_failover();
  }

 private:
  result<verdict> same_server(incarnation const& found) {
    BOOST_OUTCOME_TRY(bool const is_over, end_backend());
    if (!is_over) return verdict{};
    auto const status =
        session_.query({"SELECT pg_catalog.pg_xact_status($1::xid8)", {evidence_.xid}}, deadline_);
    if (!status) {
      // On the same timeline, the server has not reached this xid. Its records are lost, so it cannot have
      // committed.
      if (status.error().sqlstate() == "22023") return agreed(kind::rolled_back);
      return status.error();
    }
    auto const text = status.value().text(0, 0);
    if (text == "aborted") return agreed(kind::rolled_back);
    if (text == "committed" && found.is_same_run) {
      return agreed(has_ended_backend_ && found.has_synchronous_standbys ? kind::committed_locally
                                                                         : kind::committed);
    }
    if (text == "in progress") return verdict{};
    return text.empty() ? after_forgetting() : after_crash();
  }

  // True if the old backend no longer runs the transaction.
  result<bool> end_backend() {
    BOOST_OUTCOME_TRY(
        auto const alive,
        session_.query({end_backend_sql,
                        {std::to_string(evidence_.backend_pid), evidence_.backend_start, evidence_.xid}},
                       deadline_));
    if (alive.empty()) return true;
    has_ended_backend_ = has_ended_backend_ || alive.boolean(0, 0);
    return false;
  }

  result<bool> is_in_outbox() {
    BOOST_OUTCOME_TRY(auto const found, session_.query({"SELECT 1 FROM shardway.outbox WHERE write_id = $1",
                                                        {evidence_.write->to_string()}},
                                                       deadline_));
    return !found.empty();
  }

  result<verdict> agreed(kind by_xid) {
    if (!evidence_.write) return verdict{commit_outcome{by_xid, {}}};
    BOOST_OUTCOME_TRY(bool const is_there, is_in_outbox());
    if (is_there == (by_xid != kind::rolled_back)) return verdict{commit_outcome{by_xid, {}}};
    return verdict{in_doubt_because(
        doubt(is_there ? "its transaction rolled back, but its outbox row exists (another attempt wrote it)"
                       : "its transaction committed, but its outbox row does not exist"))};
  }

  result<verdict> by_outbox_alone(char const* why_not) {
    if (!evidence_.write) return verdict{in_doubt_because(doubt(why_not))};
    BOOST_OUTCOME_TRY(bool const is_there, is_in_outbox());
    // Behind a pooler the connection outlives a promotion: this server may be running the transaction.
    if (!is_there && evidence_.backend_pid == 0) return verdict{};
    return verdict{commit_outcome{is_there ? kind::committed : kind::rolled_back, {}}};
  }

  result<verdict> after_failover() {
    return by_outbox_alone(
        "the node was replaced meanwhile; without an outbox row the outcome cannot be known");
  }
  result<verdict> after_crash() {
    return by_outbox_alone("the server crashed meanwhile; without an outbox row the outcome cannot be known");
  }

  // The server keeps the status of old transactions only for some time, and so does the outbox. Then a
  // missing row proves nothing.
  result<verdict> after_forgetting() {
    if (evidence_.write) {
      BOOST_OUTCOME_TRY(bool const is_there, is_in_outbox());
      if (is_there) return verdict{commit_outcome{kind::committed, {}}};
    }
    return verdict{
        in_doubt_because(doubt("the server has forgotten the transaction: too much time has passed"))};
  }

  error doubt(std::string what) const {
    return unresolved(evidence_, session_.identity().name, std::move(what));
  }

  session& session_;
  in_doubt_evidence const& evidence_;
  bool& has_ended_backend_;
  steady_time deadline_;
};

bool is_number(std::string const& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

result<> check(in_doubt_evidence const& evidence, steady_time deadline) {
  auto const bad = [](char const* what) {
    return error{error_code::invalid_argument, std::string{"resolving a commit: "} + what};
  };
  if (!is_number(evidence.xid)) return bad("the evidence holds no xid");
  if (evidence.timeline.size() != 8 || evidence.backend_start.empty())
    return bad("the evidence is not complete");
  if (deadline == steady_time::max()) return bad("a deadline is needed");
  return success();
}

// Tries on one connection until the outcome is known, the connection breaks or the deadline has passed.
result<verdict> ask(connect_options where, in_doubt_evidence const& evidence, bool& has_ended_backend,
                    steady_time deadline) {
  auto const& clock = system_clock_source();
  auto const left = std::chrono::ceil<milliseconds>(deadline - clock.now());
  where.connect_timeout = std::clamp(left, milliseconds{1}, where.connect_timeout);
  BOOST_OUTCOME_TRY(auto link, connect(where));
  resolver one{*link, evidence, has_ended_backend, deadline};
  while (clock.now() < deadline) {
    BOOST_OUTCOME_TRY(auto known, one.try_once());
    if (known) return known;
    clock.sleep_until(std::min(deadline, clock.now() + pause));
  }
  return verdict{};
}

}  // namespace

statement evidence_statement() {
  return {.sql = evidence_sql, .parameters = {}, .name = "shardway_evidence"};
}

result<in_doubt_evidence> evidence_of(node_identity const& node, rows const& answer,
                                      std::optional<write_id> write) {
  if (answer.size() != 1 || answer.columns().size() != 5) {
    return error{error_code::protocol_violation,
                 "node \"" + node.name + "\" gave no evidence of its transaction"}
        .at_node(node.name);
  }
  BOOST_OUTCOME_TRY(auto const pid, answer.integer(0, 0));
  auto const text = [&](std::size_t column) { return std::string{answer.text(0, column)}; };
  return in_doubt_evidence{
      node.system_identifier, static_cast<int>(pid), text(1), text(2), text(3), text(4), write};
}

result<commit_outcome> resolve_commit(connect_options const& where, in_doubt_evidence const& evidence,
                                      steady_time deadline) {
  BOOST_OUTCOME_TRYV(check(evidence, deadline));
  auto const& clock = system_clock_source();
  bool has_ended_backend = false;
  std::string last = "it was not over by the deadline";
  error why = unresolved(evidence, where.node, last);
  while (clock.now() < deadline) {
    auto known = ask(where, evidence, has_ended_backend, deadline);
    if (known && known.value()) return *known.value();
    if (!known)
      why = unresolved(evidence, where.node, last + "; " + known.error().message())
                .with_server(known.error().sqlstate(), known.error().server_detail());
    clock.sleep_until(std::min(deadline, clock.now() + pause));
  }
  return in_doubt_because(std::move(why));
}

}  // namespace v0
}  // namespace shardway
