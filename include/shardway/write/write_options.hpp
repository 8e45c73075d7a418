// How a write is to be done.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>

namespace shardway {
inline namespace v0 {

enum class isolation_level : unsigned char { read_committed, repeatable_read, serializable };

/// Options of `client_session::execute`, `write` and the calls built on them.
///
/// @code
/// auto done = session.execute("shop.orders", key, sql, parameters,
///                             {.deadline = std::chrono::seconds{5}, .operation_id = request_id});
/// @endcode
struct write_options {
  /// The isolation level of the transaction.
  isolation_level isolation{isolation_level::read_committed};

  /// > 0. Covers the whole call: retries and waits for a fence included. After it the call fails with
  /// `deadline_exceeded`, or with `in_doubt` if a COMMIT was on its way. Choose it longer than the client's
  /// `stall_budget`, so that the budget ends first.
  std::chrono::milliseconds deadline{30000};

  /// How often the library runs a transaction again after SQLSTATE 40001 or 40P01. 0: never. Refusals of the
  /// fence do not count: `stall_budget` ends them.
  unsigned retries_max{10};

  /// The caller's name for this write, at most 128 bytes. Empty: none.
  ///
  /// The write's own transaction records the id with a digest of table, key, statement and parameters. For
  /// `write` the digest covers table and key only, because only its function knows the rest. A second call
  /// with the same id and content writes nothing and returns the first receipt, marked `replayed`. A call
  /// with the same id and other content is refused with `write_id_mismatch`. The record lasts 48 hours,
  /// across waves and rollbacks.
  ///
  /// So a caller may repeat a call that ended in doubt, or whose process died. While the outcome is in doubt
  /// the library repeats the call by itself.
  ///
  /// The library looks for the id where the call's shard key is: use each id for one key only. Once a slot
  /// has moved, the node that had it before must answer first; otherwise the call fails and writes nothing. A
  /// finalized group does not ask that node.
  ///
  /// Cost: one more round trip, and one to the other node for slots that have moved.
  std::string operation_id{};

  /// Stops the call. Before COMMIT is sent, a stop cancels the running statement and the call fails with
  /// `cancelled`: nothing was written. Afterwards it has no effect. The thread that requests the stop opens a
  /// connection to the server. Cost: COMMIT becomes a round trip of its own.
  std::stop_token cancel{};

  /// A label for reports. Empty: the place in the source that calls.
  std::string call_site{};
};

}  // namespace v0
}  // namespace shardway
