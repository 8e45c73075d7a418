// Finds out what became of a transaction whose connection was lost between COMMIT and its answer (W1, W2).
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

/// What a transaction records before its COMMIT, so that it can be found again.
struct in_doubt_evidence {
  std::uint64_t system_identifier{};
  int backend_pid{};
  std::string backend_start;  ///< pg_stat_activity's, as text
  std::string xid;            ///< 64 bits, as text

  /// 8 hexadecimal digits. After a promotion, the same xid means another transaction or none.
  std::string timeline;

  /// When the server's statistics began. Crash recovery starts them again. Only after a crash recovery can an
  /// xid whose records were never flushed be given to another transaction.
  std::string statistics_start;

  /// The write id of the outbox row that the transaction wrote, if it wrote one.
  std::optional<write_id> write{};
};

/// The statement that returns the evidence. Run it anywhere inside the transaction; it gives the transaction
/// an xid.
statement evidence_statement();

/// The evidence from that statement's result. Errors: `protocol_violation`.
result<in_doubt_evidence> evidence_of(node_identity const&, rows const& answer,
                                      std::optional<write_id> write = std::nullopt);

/// Finds out whether the transaction committed. Uses new connections and tries until the deadline.
///
/// On the same server and timeline, it ends the old backend if that still runs the transaction. It does not
/// end a backend that waits for a synchronous standby, because that would commit locally. Then
/// `pg_xact_status` and, with a write id, the outbox must agree.
///
/// After a failover or a crash the xid proves nothing. Then the outbox row alone decides; without a write id
/// the outcome stays `in_doubt`.
///
/// `committed_locally` means that the transaction is committed, but its backend had to be ended on a server
/// with synchronous standbys. `in_doubt` (with the reason) means that the outcome was not known by the
/// deadline: do not retry the transaction.
///
/// Preconditions: the options lead to the node that has authority now. Errors: only `invalid_argument`
/// (evidence or deadline). Cost: one connection and three round trips; more while it waits.
result<commit_outcome> resolve_commit(connect_options const&, in_doubt_evidence const&, steady_time deadline);

}  // namespace v0
}  // namespace shardway
