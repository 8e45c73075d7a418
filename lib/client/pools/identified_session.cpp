#include "lib/client/pools/identified_session.hpp"

#include "lib/pg/application_session.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// Returns one row on a primary and on a replica alike. The name of the WAL file holds the timeline. A
// promotion or crash ends the connection, so the answer stays true as long as the connection lives.
constexpr char facts_sql[] =
    "SELECT a.backend_start::text, CASE WHEN pg_catalog.pg_is_in_recovery() THEN '' ELSE "
    "pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8) END, "
    "b.stats_reset::text, "
    "(SELECT coalesce(max(incarnation), 0) FROM shardway.incarnation), "
    "pg_catalog.current_setting('synchronous_commit') "
    "FROM pg_catalog.pg_stat_activity a CROSS JOIN pg_catalog.pg_stat_bgwriter b WHERE a.pid = "
    "pg_catalog.pg_backend_pid()";

}  // namespace

result<std::unique_ptr<session>> connect_identified(connect_options const& options, events* listener,
                                                    std::atomic<bool>* is_reported) {
  auto const until = system_clock_source().now() + options.connect_timeout;
  BOOST_OUTCOME_TRY(auto made, connect_for_application(options));
  BOOST_OUTCOME_TRY(auto const said, made->query({.sql = facts_sql}, until));
  if (said.size() != 1)
    return error{error_code::protocol_violation, "a new connection gave no facts of itself"}.at_node(
        options.node);
  BOOST_OUTCOME_TRY(auto const incarnation, said.integer(0, 3));
  if (listener && said.text(0, 4) == "off" && !(is_reported && is_reported->exchange(true))) {
    listener->on_trouble("connecting",
                         error{error_code::precondition_failed,
                               "synchronous_commit is off: acknowledged writes may be lost by a crash",
                               "set it to on for the application's role"}
                             .at_node(options.node));
  }
  connection_facts facts{.system_identifier = made->identity().system_identifier,
                         .incarnation = static_cast<std::int32_t>(incarnation),
                         .backend_pid = made->identity().backend_pid,
                         .backend_start = std::string(said.text(0, 0)),
                         .timeline = std::string(said.text(0, 1)),
                         .statistics_start = std::string(said.text(0, 2))};
  return std::unique_ptr<session>{std::make_unique<identified_session>(std::move(made), std::move(facts))};
}

}  // namespace v0
}  // namespace shardway
