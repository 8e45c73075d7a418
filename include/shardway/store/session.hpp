// What the library needs from a database session, in our types. `pg` implements it; decorators wrap it.
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

namespace shardway {
inline namespace v0 {

/// A value in PostgreSQL's text form; nothing is NULL.
using text_value = std::optional<std::string>;

/// One statement with its parameters ($1 is parameters[0]). With a `name` it is prepared once per connection
/// and reused; the same name must always carry the same text. Without one it is parsed each time. A plan that
/// the server gave up (DDL, DISCARD ALL) is prepared anew by itself outside a transaction; inside one the
/// error is `serialization_failure`: run the transaction again.
struct statement {
  std::string sql;
  std::vector<text_value> parameters{};
  std::string name{};
};

/// The rows one statement returned. Lifetime: owns its data; views it hands out live as long as it does.
/// Thread safety: a value.
class rows {
 public:
  struct column {
    std::string name;
    std::uint32_t type_oid{};
    friend bool operator==(column const&, column const&) = default;
  };

  rows() = default;
  rows(std::vector<column> columns, std::size_t row_count, std::vector<text_value> values,
       std::int64_t affected);
  /// The same with what the server said at the statement's end.
  rows with_command(std::string tag, bool is_sync_wait_cancelled) &&;

  std::size_t size() const noexcept { return row_count_; }
  bool empty() const noexcept { return row_count_ == 0; }
  std::vector<column> const& columns() const noexcept { return columns_; }
  /// Position of a column by name; nothing if there is none.
  std::optional<std::size_t> find(std::string_view column_name) const noexcept;
  /// The value, or nothing for NULL. Preconditions: both positions are in range.
  std::optional<std::string_view> at(std::size_t row, std::size_t position) const noexcept;
  /// The value's text; empty for NULL.
  std::string_view text(std::size_t row, std::size_t position) const noexcept;
  /// The value as a number; an error (`protocol_violation`) if it is none.
  result<std::int64_t> integer(std::size_t row, std::size_t position) const;
  /// "t" is true; everything else, NULL included, is false.
  bool boolean(std::size_t row, std::size_t position) const noexcept;
  /// Rows inserted, updated, deleted or selected, as the server counted them.
  std::int64_t affected() const noexcept { return affected_; }
  /// The command tag without its numbers, such as "COMMIT"; a COMMIT of a failed transaction says "ROLLBACK".
  std::string const& command() const noexcept { return command_; }
  /// The server warned that the wait for a synchronous standby was cancelled: what was committed may be lost
  /// by a failover.
  bool is_sync_wait_cancelled() const noexcept { return is_sync_wait_cancelled_; }

 private:
  std::vector<column> columns_;
  std::size_t row_count_{};
  std::vector<text_value> values_;  // row by row
  std::int64_t affected_{};
  std::string command_;
  bool is_sync_wait_cancelled_{};
};

/// What a COMMIT's own result says, where it was one statement of a flush. A flush that broke as a whole is
/// in doubt: give its outer error.
commit_outcome outcome_of_commit(result<rows> const& answer);
commit_outcome outcome_of_broken_flush(error why);

/// What a server says of itself.
struct node_identity {
  std::string name;                   ///< the node's name in the migration, such as "source" or "shard2"
  std::uint64_t system_identifier{};  ///< of initdb; equal on a primary and its replicas
  int server_version{};               ///< such as 150020
  int backend_pid{};                  ///< 0 behind a pooler in transaction mode
};

/// A session on one node.
///
/// Thread safety: distinct objects: safe. Shared object: not safe, but `cancel_handle` works from another
/// thread. Errors: every call may return `node_unreachable`, `connection_lost`, `deadline_exceeded` and the
/// errors of SQLSTATE; after `deadline_exceeded` and `connection_lost` the session is broken and must be
/// dropped (`is_broken()`). Deadlines: `steady_time::max()` waits for ever.
class session {
 public:
  virtual ~session() = default;

  /// One statement, one round trip, in the extended protocol.
  virtual result<rows> query(statement const&, steady_time deadline = steady_time::max()) = 0;

  /// Several statements in one round trip, each followed by a Sync message, so that each stands alone unless
  /// one of them is BEGIN. Returns one result per statement, in order; the outer error means that the
  /// connection broke. After an error inside a transaction block the following statements fail too (25P02); a
  /// COMMIT then rolls back and its result is `rolled back` by command tag.
  virtual result<std::vector<result<rows>>> flush(std::span<statement const>,
                                                  steady_time deadline = steady_time::max()) = 0;
  /// The answers of the last flush that had arrived before it broke, in order: a lost COMMIT is looked for
  /// with what they tell. Once only.
  virtual std::vector<result<rows>> salvaged() { return {}; }

  /// A text of one or more statements in ONE Query message, parameters not possible: executed as a whole or,
  /// if the connection breaks before the last byte, not at all, so that a stalled client can never hold locks
  /// in mid-flush. Returns the last statement's rows.
  virtual result<rows> simple(std::string_view sql, steady_time deadline = steady_time::max()) = 0;

  /// Sends COMMIT and tells what became of it. Sends no cancel and sets no timeout while it waits.
  virtual commit_outcome commit(steady_time deadline = steady_time::max()) = 0;

  /// Binary COPY out. The session is busy until the reader has returned the end or was destroyed.
  virtual result<std::unique_ptr<class copy_reader>> copy_out(std::string_view sql) = 0;
  /// Binary COPY in. The session is busy until `finish` or `abort`.
  virtual result<std::unique_ptr<class copy_writer>> copy_in(std::string_view sql) = 0;

  /// `LISTEN` channels' notifications that have arrived, as (channel, payload); waits up to the deadline for
  /// the first.
  virtual result<std::vector<std::pair<std::string, std::string>>> notifications(steady_time deadline) = 0;

  virtual bool is_broken() const noexcept = 0;
  virtual bool in_transaction() const noexcept = 0;
  virtual node_identity const& identity() const noexcept = 0;
  /// The text quoted as a literal or identifier by the server's rules.
  virtual std::string quote_literal(std::string_view) const = 0;
  virtual std::string quote_identifier(std::string_view) const = 0;
  /// A function that cancels what this session is doing, callable from any thread while the session lives.
  virtual std::function<void()> cancel_handle() const = 0;
};

/// Bytes of a COPY out, as the server framed them.
class copy_reader {
 public:
  virtual ~copy_reader() = default;
  /// The next piece (valid until the next call), or an empty view at the end.
  virtual result<std::span<std::byte const>> read() = 0;
};

/// Bytes of a COPY in. `write` buffers and sends without waiting while less than `buffer_bytes_max` is
/// pending; past that it waits for the server. Who must never wait looks at `pending_bytes()` first. An error
/// of the server shows at `finish`.
class copy_writer {
 public:
  static constexpr std::size_t buffer_bytes_max = std::size_t{8} << 20;
  virtual ~copy_writer() = default;
  virtual result<> write(std::span<std::byte const>) = 0;
  /// Sends buffered bytes without waiting.
  virtual result<> pump() = 0;
  virtual std::size_t pending_bytes() const noexcept = 0;
  /// Ends the COPY; the number of rows taken.
  virtual result<std::int64_t> finish() = 0;
  /// Gives the COPY up; the statement fails on the server.
  virtual void abort(std::string_view reason) noexcept = 0;
};

}  // namespace v0
}  // namespace shardway
