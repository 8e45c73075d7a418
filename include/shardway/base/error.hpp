// The errors of the library: what went wrong, on which node, what it means and what to do.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "shardway/version.hpp"

namespace shardway {
inline namespace v0 {

/// Every error the library can return. The text form (`name`) is stable: Python, `--json` and docs/ERRORS.md
/// use it.
enum class error_code : unsigned short {
  // What the caller passed in.
  invalid_argument = 1,  ///< an option or argument is outside its legal range
  manifest_invalid,      ///< a manifest has findings; the message lists each with file:line:column
  unknown_table,         ///< the table is in no manifest of the current generation
  shard_key_missing,     ///< the call cannot be routed without the named column
  /// a row changed by the statement has another shard key than the call named (SQLSTATE SW005)
  shard_key_mismatch,
  shard_key_change,   ///< the shard key or primary key of a row would move it to another shard (SW004)
  statement_refused,  ///< `execute` cannot capture this statement while the table is dual written
  cross_shard,        ///< one transaction would touch two shards
  write_id_mismatch,  ///< the write id was used before for another table, operation or keys

  // Connections and servers.
  node_unreachable,       ///< no connection within the deadline
  authentication_failed,  ///< the server refused the role or its password
  connection_lost,        ///< the connection broke; nothing was committed by the statement in flight
  deadline_exceeded,      ///< the caller's time budget is spent
  cancelled,              ///< the caller asked to stop
  serialization_failure,  ///< 40001 or 40P01: run the transaction again
  constraint_violation,   ///< class 23 of SQLSTATE
  permission_denied,      ///< SQLSTATE 42501
  sql_error,              ///< any other error of the server; `sqlstate` says which
  protocol_violation,     ///< the library does not understand what the server sent

  // The protocol.
  fence_closed,           ///< SW001: the slot is being moved; the library waits and retries by itself
  epoch_stale,            ///< SW002: the caller's generation is old; the library refreshes and retries
  foreign_write_refused,  ///< SW003: a session that is not the library's wrote an onboarded table
  in_doubt,               ///< whether the transaction committed is not known; never retried
  stall_budget_spent,     ///< the fence did not open within the stall budget; nothing was written
  epoch_overflow,         ///< more than 1,023 epochs
  migration_ended,        ///< schema shardway is not on the node: uninstalled, or never installed

  // The engine.
  not_leader,              ///< another controller holds a newer lease token
  lease_held,              ///< another controller is alive
  precondition_failed,     ///< a check of `doctor` or a precondition failed; the message names the fix
  gate_red,                ///< a gate of the wave is red
  wave_aborted,            ///< the wave gave authority back to where it was
  stream_broken,           ///< a replication slot was lost or a change could not be applied
  schema_drift,            ///< the table's columns differ between source and shard, or changed in the stream
  verification_different,  ///< rows differ; they are named in the catalog
  could_not_tell,          ///< verification ran out of time before it could decide
  rollback_unavailable,    ///< authority cannot go back to the source without loss: the mirror is not ready
  corrupt_data,            ///< stored bytes (token, document, journal) do not parse or contradict each other
  internal,                ///< a defect of the library
};

/// The stable name of a code, such as "fence_closed".
std::string_view name(error_code) noexcept;

/// The same call can succeed later, and nobody has to act.
bool is_retryable(error_code) noexcept;

/// The connection that the call used cannot be used any more.
bool needs_reconnect(error_code) noexcept;

/// A person has to act before the call can succeed.
bool needs_operator(error_code) noexcept;

/// An error: a code and texts that are safe to log.
///
/// `message` says what was tried, on which node and what it means. `hint` says what to do. Neither ever holds
/// a password, a key or a row value. `server_detail` is the server's own text and may hold them: show it only
/// where the caller asked for it.
///
/// Thread safety: a value. Cost: a copy is cheap (one reference count).
class [[nodiscard]] error {
 public:
  /// `internal`, without a text. It exists only so that an error can be a member of a `result`.
  error() noexcept = default;
  error(error_code code, std::string message, std::string hint = {});

  error_code code() const noexcept;
  std::string const& message() const noexcept;
  std::string const& hint() const noexcept;
  std::string const& node() const noexcept;           ///< name of the node; empty if none was involved
  std::string const& sqlstate() const noexcept;       ///< five characters, or empty
  std::string const& server_detail() const noexcept;  ///< may hold row values: opt-in

  /// The same error with one more fact. Each of these returns a new value.
  error at_node(std::string node) const;
  error with_hint(std::string hint) const;
  error with_server(std::string sqlstate, std::string detail) const;
  error while_doing(std::string_view what) const;  ///< puts "what: " before the message

  /// "code: message (node); hint": one line, safe to log.
  std::string to_string() const;

 private:
  struct impl;
  impl const& get() const noexcept;
  std::shared_ptr<impl> own() const;
  std::shared_ptr<impl const> impl_;
};

}  // namespace v0
}  // namespace shardway

#include "shardway/base/impl/error.ipp"
