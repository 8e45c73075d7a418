// How a write is to be done.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>

namespace shardway {
inline namespace v0 {

enum class isolation_level : unsigned char { read_committed, repeatable_read, serializable };

struct write_options {
  isolation_level isolation{isolation_level::read_committed};
  /// > 0: the whole call, retries and waits for a fence included. Past it the call fails with
  /// `deadline_exceeded`, or `in_doubt` if a COMMIT was on its way. It is longer than the client's
  /// `stall_budget`, which ends first.
  std::chrono::milliseconds deadline{30000};
  /// How often a transaction is run again after 40001 or 40P01. 0: never. Refusals of the fence are not
  /// counted: `stall_budget` ends them.
  unsigned retries_max{10};
  /// The caller's name for this write, at most 128 bytes; empty: none. It is recorded in the write's own
  /// transaction, with a digest of table, key, statement and parameters (`write`: of table and key, for only
  /// its function knows the rest). The same id and content again writes nothing and returns the first
  /// receipt, marked `replayed`; other content is refused with `write_id_mismatch`. It holds across waves and
  /// rollbacks for 48 hours. So a call that ended in doubt, or whose caller died, may be repeated; while its
  /// outcome is in doubt the library repeats it by itself. The id is looked for where the call's shard key
  /// is: use each id for one key. Once a slot has moved, the node that had it before must answer first, or
  /// the call fails and writes nothing (finalized: it is not asked). Cost: a round trip more, and one to the
  /// other node for slots that have moved.
  std::string operation_id{};
  /// Before COMMIT is sent, a stop cancels the running statement and the call fails with `cancelled`; nothing
  /// was written. After that it has no effect. The thread that requests the stop makes a connection to the
  /// server. Cost: COMMIT is a round trip of its own.
  std::stop_token cancel{};
  std::string call_site{};  ///< a label for reports; "": the place in the source that calls
};

}  // namespace v0
}  // namespace shardway
