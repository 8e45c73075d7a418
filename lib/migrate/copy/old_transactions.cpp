#include "lib/migrate/copy/old_transactions.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::copy {

result<> wait_for_old_transactions(session& node, steady_time deadline) {
  // A newly assigned id is above every other id. A snapshot's xmax does not suffice: a newer transaction that
  // is still open may have an id at or above it.
  BOOST_OUTCOME_TRY(auto const first,
                    node.query({.sql = "SELECT pg_catalog.pg_current_xact_id()::text"}, deadline));
  statement const ended{
      .sql =
          "SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::numeric >= "
          "$1::numeric",
      .parameters = {std::string(first.text(0, 0))}};
  while (system_clock_source().now() < deadline) {
    BOOST_OUTCOME_TRY(auto const answer, node.query(ended));
    if (answer.boolean(0, 0)) return success();
    system_clock_source().sleep_until(system_clock_source().now() + std::chrono::milliseconds(20));
  }
  BOOST_OUTCOME_TRY(
      auto const open,
      node.query({.sql = "SELECT pg_catalog.string_agg('pid ' || a.pid || ' (' || a.application_name || ')', "
                         "', ') FROM pg_catalog.pg_stat_activity AS a "
                         "WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid() AND "
                         "a.backend_xid::text::numeric < ($1::numeric % 4294967296)",
                  .parameters = {std::string(first.text(0, 0))}}));
  BOOST_OUTCOME_TRY(auto const prepared,
                    node.query({.sql = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_xacts"}));
  return error{error_code::deadline_exceeded,
               "transactions older than the copy are still open: " + std::string(open.text(0, 0)) +
                   "; prepared transactions: " + std::string(prepared.text(0, 0)),
               "end them, then start the copy again"}
      .at_node(node.identity().name);
}

}  // namespace migrate::copy
}  // namespace v0
}  // namespace shardway
