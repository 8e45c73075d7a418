#include "lib/migrate/nodes/reader_takeover.hpp"

#include "lib/catalog/guarded.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::nodes {

// S17: one reader at a time. The server itself would only notice after wal_sender_timeout. The token is
// checked in the same transaction: one that was replaced ends nobody.
error end_other_reader(session& node, std::string const& replication_slot, std::int64_t token) {
  auto const ended = run_guarded(
      node, token,
      {{.sql = "SELECT pg_catalog.pg_terminate_backend(active_pid) FROM pg_catalog.pg_replication_slots "
               "WHERE slot_name = $1 AND active_pid IS NOT NULL",
        .parameters = {replication_slot}}});
  if (!ended)
    return ended.error().while_doing("ending the older reader of replication slot " + replication_slot);
  return error{error_code::node_unreachable, "replication slot " + replication_slot +
                                                 " was still read by another connection, which was ended"}
      .at_node(node.identity().name);
}

}  // namespace migrate::nodes
}  // namespace v0
}  // namespace shardway
