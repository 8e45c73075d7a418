// What an application holds: a client, and a session a user or request. The same calls in every stage of a migration.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/observe/events.hpp"
#include "shardway/observe/metrics.hpp"
#include "shardway/pg/connect.hpp"
#include "shardway/read/read_options.hpp"
#include "shardway/route/router.hpp"
#include "shardway/write/receipt.hpp"
#include "shardway/write/write_options.hpp"
#include "shardway/write/write_transaction.hpp"

namespace shardway {
inline namespace v0 {

struct client_state;
struct session_state;

struct client_options {
  connect_options source;                ///< the source; it holds the catalog
  /// Other nodes by name. Overrides the address that the generation gives (a tunnel, a password provider); asked for the generation while
  /// the source is down (K1). Empty: addresses and names of the generation, and the source's password provider.
  std::vector<connect_options> nodes{};
  std::string application{"application"};  ///< application_name on every connection and in the client registry
  std::size_t connections_max{8};          ///< > 0: per node
  std::chrono::milliseconds connect_timeout{2000};  ///< > 0: of connections made for nodes that `nodes` does not name
  std::chrono::milliseconds generation_interval{200};  ///< > 0: between two looks for a newer generation
  std::chrono::milliseconds replica_interval{20};      ///< > 0: between two looks at the replicas' positions; 0 replicas: none
  /// >= 0: how long a call waits for authority to settle, from its first refusal. It covers a wave's stall and is longer than the wave's
  /// own.
  std::chrono::milliseconds stall_budget{5000};
  std::chrono::milliseconds resolve_deadline{5000};    ///< > 0: how long to look for the outcome of a COMMIT whose answer was lost
  std::size_t queue_rows_max{10000};      ///< > 0: rows waiting for a shard in the background; past it dual writes are left to the stream
  std::shared_ptr<events> listener{};     ///< may be empty
  std::shared_ptr<metrics> meter{};       ///< may be empty
};

/// A user's or request's view: it sees its own writes wherever it reads next.
///
/// Thread safety: distinct objects: safe. Shared object: not safe.
/// Lifetime: keeps what it needs of the client alive; after `client::close` its calls fail with `cancelled`.
class client_session {
 public:
  client_session(client_session&&) noexcept;
  client_session& operator=(client_session&&) noexcept;
  ~client_session();

  /// One INSERT, UPDATE or DELETE of rows with this shard key, in its own transaction, on the node that has authority.
  ///
  /// A refusal of the fence changes nothing: the call refreshes the generation, waits within `stall_budget` and tries again.
  /// A reference table has no shard key: give `{}`.
  /// Errors: those of SQLSTATE · `unknown_table`, `shard_key_missing`, `invalid_argument` · `statement_refused` (a dual write can't capture
  /// it) · `shard_key_mismatch` · `stall_budget_spent` (nothing was written) · `node_unreachable` (nothing was written) · `in_doubt`: its
  /// message names the write id; never retried.
  /// Cost: observing one round trip; afterwards one round trip (a pipeline) to the authority, while dual writing (sync) one more to the
  /// shard, without an fsync.
  result<write_receipt> execute(std::string_view table, shard_key const& key, std::string_view sql,
                                std::vector<text_value> parameters = {}, write_options const& options = {});

  /// Several statements in one transaction. `body` may be run again as a whole (see `write_transaction`); an error it returns rolls back
  /// and is returned. Errors and waits: as `execute`, and `serialization_failure` after `retries_max`.
  /// Cost: one round trip to begin, one a statement, one to commit, and the dual write's.
  result<write_receipt> write(std::string_view table, shard_key const& key, std::function<result<>(write_transaction&)> const& body,
                              write_options const& options = {});

  /// One SELECT of rows with this shard key, as fresh as the options ask. Only reads of `consistency::primary` and
  /// locking reads ask the fence, and wait for it as a write does.
  /// Errors: those of SQLSTATE; `unknown_table`, `shard_key_missing`; `statement_refused` for anything that writes; `node_unreachable`.
  /// Cost: one round trip where a replica is far enough.
  result<read_answer> read(std::string_view table, shard_key const& key, std::string_view sql, std::vector<text_value> parameters = {},
                           read_options const& options = {});

  /// What the session has written and seen, to be carried with the user (an HTTP header); at most some hundred bytes.
  std::string token() const;
  /// Takes over another session's token: the later of both counts. What is malformed or of another system satisfies nothing and blocks
  /// nothing (R1): reads that can't be judged go to the primary.
  void adopt(std::string_view token);

 private:
  friend class client;
  explicit client_session(std::unique_ptr<session_state> fresh);
  std::unique_ptr<session_state> state_;
};

/// Connections, the current generation, the replicas' positions and the background work of one process.
///
/// Thread safety: shared use is safe. Lifetime: close it (or destroy it) before the process ends; queued dual writes are dropped, the
/// stream brings them.
class client {
 public:
  /// Connects to the source (or, while it is down, to another node given), reads the newest generation and starts one background thread,
  /// which also registers the process in the client registry. Dual writes in async mode get one thread a shard when first used.
  /// Errors: `node_unreachable`, `authentication_failed`, `invalid_argument`, `precondition_failed` (no generation is published).
  static result<client> open(client_options options);
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  client_session session();
  /// The number of the generation in use.
  std::uint64_t generation() const;
  /// Where a call goes now. Errors: `unknown_table`, `shard_key_missing`, `invalid_argument`.
  result<route> route_of(std::string_view table, shard_key const& key) const;
  /// Looks for a newer generation now. Errors: `node_unreachable` if no node answered.
  result<std::uint64_t> refresh();
  /// Counts since `open`.
  struct counts {
    std::uint64_t writes{}, refusals{}, retries{}, in_doubt{};
    std::uint64_t secondary_applied{}, secondary_pending{}, secondary_refused{};
    std::uint64_t reads_replica{}, reads_primary{};
  };
  counts totals() const;
  /// Ends the background work. Calls in flight end with an error. May be called twice.
  void close() noexcept;

 private:
  explicit client(std::shared_ptr<client_state> fresh);
  std::shared_ptr<client_state> state_;
};

}  // namespace v0
}  // namespace shardway
