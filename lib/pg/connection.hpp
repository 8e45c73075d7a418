// One libpq connection: its owner, waiting with a deadline, and whether it can still be used.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <libpq-fe.h>

#include "shardway/base/clock.hpp"
#include "shardway/base/result.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {
namespace pg {

struct finish_connection {
  void operator()(PGconn* raw) const noexcept { PQfinish(raw); }
};
struct clear_result {
  void operator()(PGresult* answer) const noexcept { PQclear(answer); }
};
struct free_memory {
  void operator()(void* memory) const noexcept { PQfreemem(memory); }
};
using raw_ptr = std::unique_ptr<PGconn, finish_connection>;
using answer_ptr = std::unique_ptr<PGresult, clear_result>;
template <class T>
using memory_ptr = std::unique_ptr<T, free_memory>;

enum class waited { ready, timed_out, failed };
/// Waits for poll events on a socket. Retries after signals.
waited wait_socket(int descriptor, short events, steady_time deadline) noexcept;

/// Non-blocking, except while it is lent. A session shares it with the reader or writer of its COPY. Thread
/// safety: one thread at a time.
class connection {
 public:
  connection(raw_ptr raw, std::string node);
  connection(connection const&) = delete;
  connection& operator=(connection const&) = delete;

  PGconn* raw() const noexcept { return raw_.get(); }
  std::string const& node() const noexcept { return node_; }
  bool is_broken() const noexcept {
    return is_broken_ || (!is_lent_ && PQstatus(raw_.get()) != CONNECTION_OK);
  }
  void mark_broken() noexcept { is_broken_ = true; }
  bool is_copying() const noexcept { return is_copying_; }
  void set_copying(bool copying) noexcept { is_copying_ = copying; }

  /// Refuses a call while broken, lent or copying.
  result<> ready_for(std::string_view doing) const;

  /// The next result. Null at the end of a command. Errors: `connection_lost`, `deadline_exceeded`; both
  /// break the connection.
  result<answer_ptr> next_answer(steady_time deadline, std::string_view doing);

  /// Sends what libpq has buffered. It also reads meanwhile, so that neither side blocks the other.
  result<> send_all(steady_time deadline, std::string_view doing);

  /// Waits until the socket has something to read, or can take buffered output, and handles it. False: the
  /// deadline has passed.
  result<bool> wait_progress(steady_time deadline, std::string_view doing);

  /// True: nothing has arrived, not even the end of the connection. False: something has arrived, or it is
  /// not known. Cost: one system call.
  bool is_quiet() const noexcept;

  /// Reads and drops the rest of the current command's results. If that fails, the connection is broken.
  void drain(steady_time deadline) noexcept;
  error lost(std::string_view doing, PGresult const* last = nullptr);
  error timed_out(std::string_view doing);

  void clear_notices() noexcept { is_sync_wait_cancelled_ = false; }
  bool is_sync_wait_cancelled() const noexcept { return is_sync_wait_cancelled_; }

  /// Lends the connection for `interop`. The caller owns it until `take_back`.
  PGconn* lend();
  void take_back(PGconn*) noexcept;
  bool is_lent() const noexcept { return is_lent_; }

 private:
  static void on_notice(void* self, PGresult const* notice);
  void adopt() noexcept;

  raw_ptr raw_;
  std::string node_;
  bool is_broken_{};
  bool is_copying_{};
  bool is_lent_{};
  bool is_sync_wait_cancelled_{};
};

enum class connection_use { sql, replication, application };
/// A connection with the settings of `connect.hpp`, and the server's identity.
struct made_connection {
  std::shared_ptr<connection> link;
  node_identity identity;
};
result<made_connection> make_connection(connect_options const&, connection_use);

/// Sends a simple query and returns its last result. Used before a session exists, and by `session::simple`.
result<answer_ptr> run_simple(connection&, std::string const& sql, steady_time deadline,
                              std::string_view doing);
/// The rows of a result; moves nothing out of it.
rows rows_of(PGresult const*, bool is_sync_wait_cancelled);

}  // namespace pg
}  // namespace v0
}  // namespace shardway
