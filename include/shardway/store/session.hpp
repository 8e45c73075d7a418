// What the library needs of a database session, in types of its own. `pg` implements it; decorators wrap it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/clock.hpp"
#include "shardway/base/lsn.hpp"
#include "shardway/base/result.hpp"
#include "shardway/store/commit_outcome.hpp"
#include "shardway/store/rows.hpp"

namespace shardway {
inline namespace v0 {

/// One statement.
struct statement {
  std::string sql;

  /// $1 is parameters[0].
  std::vector<text_value> parameters{};

  /// With a name, the statement is prepared once per connection and reused. The same name must always stand
  /// for the same text. Without a name, the server parses the statement each time.
  ///
  /// The server may give a plan up (DDL, DISCARD ALL). Outside a transaction the session then prepares the
  /// statement again by itself. Inside a transaction the error is `serialization_failure`: run the
  /// transaction again.
  std::string name{};
};

/// What a server says about itself.
struct node_identity {
  std::string name;                   ///< the node's name in the migration, such as "source" or "shard2"
  std::uint64_t system_identifier{};  ///< made by initdb; the same on a primary and its replicas
  int server_version{};               ///< such as 150020
  int backend_pid{};                  ///< 0 behind a pooler in transaction mode
};

/// A session on one node.
///
/// Thread safety: distinct objects: safe. Shared object: not safe, but `cancel_handle` works from another
/// thread.
///
/// Errors: every call may return `node_unreachable`, `connection_lost`, `deadline_exceeded` and the errors of
/// SQLSTATE. After `deadline_exceeded` and `connection_lost` the session is broken and must be dropped
/// (`is_broken()`).
///
/// Deadlines: `steady_time::max()` waits for ever.
class session {
 public:
  virtual ~session() = default;

  /// Runs one statement, in the extended protocol. Cost: one round trip.
  virtual result<rows> query(statement const&, steady_time deadline = steady_time::max()) = 0;

  /// Runs several statements in one round trip. A Sync message follows each of them, so that each stands
  /// alone unless one of them is BEGIN.
  ///
  /// Returns one result per statement, in order. The outer error means that the connection broke. After an
  /// error inside a transaction block the following statements fail too (25P02). A COMMIT then rolls back,
  /// and the command tag of its result says ROLLBACK.
  virtual result<std::vector<result<rows>>> flush(std::span<statement const>,
                                                  steady_time deadline = steady_time::max()) = 0;

  /// The answers of the last flush that arrived before it broke, in order. They help to find out what became
  /// of a lost COMMIT. A second call returns nothing.
  virtual std::vector<result<rows>> salvaged() { return {}; }

  /// Runs a text of one or more statements, without parameters, as ONE Query message. The server runs it as a
  /// whole. If the connection breaks before the last byte it runs nothing, so a stalled client can never hold
  /// locks in the middle of a flush. Returns the last statement's rows.
  virtual result<rows> simple(std::string_view sql, steady_time deadline = steady_time::max()) = 0;

  /// Sends COMMIT and returns its outcome. While it waits, it sends no cancel and sets no timeout.
  virtual commit_outcome commit(steady_time deadline = steady_time::max()) = 0;

  /// Binary COPY out. The session is busy until the reader has returned the end or is destroyed.
  virtual result<std::unique_ptr<class copy_reader>> copy_out(std::string_view sql) = 0;

  /// Binary COPY in. The session is busy until `finish` or `abort`.
  virtual result<std::unique_ptr<class copy_writer>> copy_in(std::string_view sql) = 0;

  /// The notifications of `LISTEN` channels that have arrived, as (channel, payload). Waits for the first one
  /// up to the deadline.
  virtual result<std::vector<std::pair<std::string, std::string>>> notifications(steady_time deadline) = 0;

  virtual bool is_broken() const noexcept = 0;
  virtual bool in_transaction() const noexcept = 0;
  virtual node_identity const& identity() const noexcept = 0;

  /// The text, quoted as a literal or as an identifier by the server's rules.
  virtual std::string quote_literal(std::string_view) const = 0;
  virtual std::string quote_identifier(std::string_view) const = 0;

  /// A function that cancels what this session is doing. Any thread may call it while the session lives.
  virtual std::function<void()> cancel_handle() const = 0;
};

/// Bytes of a COPY out, as the server framed them.
class copy_reader {
 public:
  virtual ~copy_reader() = default;

  /// The next piece, or an empty view at the end. Lifetime: until the next call.
  virtual result<std::span<std::byte const>> read() = 0;
};

/// Bytes of a COPY in.
///
/// `write` buffers and sends without waiting while less than `buffer_bytes_max` is pending. Beyond that it
/// waits for the server. To avoid blocking, check `pending_bytes()` first. An error of the server is returned
/// by `finish`.
class copy_writer {
 public:
  static constexpr std::size_t buffer_bytes_max = std::size_t{8} << 20;
  virtual ~copy_writer() = default;
  virtual result<> write(std::span<std::byte const>) = 0;

  /// Sends buffered bytes without waiting.
  virtual result<> pump() = 0;

  /// Bytes that were written and not yet sent.
  virtual std::size_t pending_bytes() const noexcept = 0;

  /// Ends the COPY and returns the number of rows that the server took.
  virtual result<std::int64_t> finish() = 0;

  /// Gives the COPY up. The statement fails on the server.
  virtual void abort(std::string_view reason) noexcept = 0;
};

}  // namespace v0
}  // namespace shardway
