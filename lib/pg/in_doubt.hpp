// A connection was lost between COMMIT and its answer: what became of the transaction? (FAILURES W1, W2)
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "shardway/base/clock.hpp"
#include "shardway/base/result.hpp"
#include "shardway/base/write_id.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/store/commit_outcome.hpp"

namespace shardway {
inline namespace v0 {

/// What a transaction keeps of itself before its COMMIT, to be found again by.
struct in_doubt_evidence {
  std::uint64_t system_identifier{};
  int backend_pid{};
  std::string backend_start;  ///< pg_stat_activity's, as text
  std::string xid;            ///< 64 bits, as text
  std::string
      timeline;  ///< 8 hexadecimal digits: after a promotion an xid means another transaction, or none
  /// When the server's statistics began. A crash recovery makes them begin anew, and only after one may an
  /// xid whose records were never flushed be given to another transaction.
  std::string statistics_start;
  std::optional<write_id> write{};  ///< of the outbox row that the transaction wrote, if it wrote one
};

/// The statement that yields the evidence; run it inside the transaction, at any place (it gives the
/// transaction an xid).
statement evidence_statement();
/// Its result as evidence. Errors: `protocol_violation`.
result<in_doubt_evidence> evidence_of(node_identity const&, rows const& answer,
                                      std::optional<write_id> write = std::nullopt);

/// Finds out whether the transaction committed, on new connections, trying until the deadline.
///
/// Same server and timeline: the old backend is ended if it still runs the transaction, except while it waits
/// for a synchronous standby (ending that would commit locally); then `pg_xact_status` and, with a write id,
/// the outbox must agree. A failover or a crash makes the xid worthless: then the outbox row decides alone,
/// and without a write id it stays `in_doubt`. `committed_locally`: the backend had to be ended on a server
/// with synchronous standbys, and the transaction is committed. The outcome is `in_doubt` (with the reason)
/// if nothing was known by the deadline; nothing may be retried on it. Preconditions: the options lead to the
/// node that has authority now. Errors: `invalid_argument` (evidence or deadline), nothing else. Cost: a
/// connection and three round trips, more while it waits.
result<commit_outcome> resolve_commit(connect_options const&, in_doubt_evidence const&, steady_time deadline);

}  // namespace v0
}  // namespace shardway
