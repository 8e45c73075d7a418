// A real PostgreSQL server as a child process of the test. A test starts, kills, freezes and restarts it, and
// adds replicas.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

/// Name -> value, as in postgresql.conf without quotes.
using settings_map = std::map<std::string, std::string>;

struct server_options {
  /// The name of the node in messages, and of its folder.
  std::string name = "server";

  /// The major version of PostgreSQL: 13, 15 or 18.
  int major = 15;

  /// Added to the defaults, which are: wal_level logical, 16 replication slots and senders, 16 prepared
  /// transactions.
  settings_map settings{};

  /// Turns fsync off. A kill of the process loses nothing; only a crash of the machine would.
  bool fast = false;
};

struct replica_options {
  /// The name of the node in messages, and of its folder.
  std::string name = "replica";

  /// Added to the settings of the primary.
  settings_map settings{};

  /// `recovery_min_apply_delay`: commits are replayed that much later. 0 is none.
  std::chrono::milliseconds replay_delay{0};

  /// Where the replica connects to. Empty and 0: to the primary itself. Otherwise to a fault proxy in front
  /// of it.
  std::string primary_host{};
  std::uint16_t primary_port = 0;
};

enum class stop_mode {
  fast,       ///< a clean shutdown; clients are disconnected
  immediate,  ///< a shutdown that needs recovery at the next start
};

/// One server with its own data folder. It listens on 127.0.0.1 and on a unix socket in its folder. Every
/// role connects without a password.
///
/// As root, the server runs as the user named by SHARDWAY_SERVER_USER (default `postgres`, else `nobody`). It
/// dies with this process, in whatever way that ends. Programs come from SHARDWAY_POSTGRES_<major> (the
/// folder above `bin`), or else from where the build found them.
///
/// Thread safety: distinct objects: safe. Shared object: not safe. Lifetime: a replica may outlive the object
/// of its primary, but then it follows nothing.
class server {
 public:
  /// Makes a data folder below `parent`, starts the server and waits until it takes connections.
  ///
  /// Errors: `precondition_failed` (no such PostgreSQL; the message says what to install), `node_unreachable`
  /// (with the end of the server's log). Cost: less than a second; the first start of a major version on a
  /// machine also runs initdb.
  static result<std::unique_ptr<server>> launch(std::filesystem::path const& parent, server_options options);
  ~server();
  server(server const&) = delete;
  server& operator=(server const&) = delete;

  std::string const& name() const noexcept;
  int major() const noexcept;
  pid_t pid() const noexcept;  ///< the postmaster's; 0 while it does not run
  std::uint16_t port() const noexcept;
  std::filesystem::path const& folder() const noexcept;  ///< holds `data`, the socket and `server.log`
  std::string log_tail() const;

  /// A libpq connection string over TCP, or over the unix socket.
  std::string conninfo(std::string_view database = "postgres", std::string_view user = "postgres") const;
  std::string socket_conninfo(std::string_view database = "postgres",
                              std::string_view user = "postgres") const;

  /// Runs SQL as superuser on a new connection. Returns the first column of the first row of the last
  /// statement, or "" if there is no row.
  result<std::string> query(std::string const& sql, std::string_view database = "postgres") const;

  /// Sends SIGKILL to the postmaster and all its processes, as if the machine had died. Returns when all of
  /// them are gone.
  result<void> kill_9();
  result<void> stop(stop_mode mode = stop_mode::fast);

  /// Starts again after `kill_9` or `stop`, on the same port. Waits for recovery.
  result<void> start();
  result<void> restart();

  /// Freezes all processes of the server: connections stay open and nothing answers.
  result<void> pause();

  /// Lets frozen processes go on.
  result<void> resume();

  /// Adds settings. They take effect with the next `reload` or `restart`.
  result<void> configure(settings_map const& settings);
  result<void> reload();

  /// Makes a streaming replica of this server. Returns when `pg_stat_replication` shows that it streams.
  result<std::unique_ptr<server>> make_replica(replica_options options);

  /// Promotes a replica: it becomes a primary on a new timeline.
  result<void> promote();

 private:
  struct state;
  explicit server(std::unique_ptr<state> fresh);
  std::unique_ptr<state> state_;
};

}  // namespace testing
}  // namespace v0
}  // namespace shardway
