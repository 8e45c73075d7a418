// A real PostgreSQL server as a child of the test: started, killed, frozen, restarted and followed by
// replicas.
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

using settings_map =
    std::map<std::string, std::string>;  ///< name -> value, as in postgresql.conf without quotes

struct server_options {
  std::string name = "server";  ///< names the node in messages and its folder
  int major = 15;               ///< 13, 15 or 18
  settings_map settings{};  ///< on top of the defaults: wal_level logical, 16 replication slots and senders,
                            ///< 16 prepared transactions
  bool fast = false;  ///< fsync off. A kill of the process loses nothing; only a crash of the machine would.
};

struct replica_options {
  std::string name = "replica";
  settings_map settings{};
  std::chrono::milliseconds replay_delay{
      0};  ///< `recovery_min_apply_delay`: commits are replayed that much later; 0 is none
  std::string primary_host{};  ///< empty: the primary itself; otherwise a gate in front of it
  std::uint16_t primary_port = 0;
};

enum class stop_mode {
  fast,
  immediate
};  ///< a clean shutdown (clients are thrown out), or one that needs recovery

/// One server with its own data folder. It listens on 127.0.0.1 and on a unix socket in its folder; every
/// role connects without a password.
///
/// As root, the server runs as the user named by SHARDWAY_SERVER_USER (default `postgres`, else `nobody`). It
/// dies with this process, however that ends. Programs come from SHARDWAY_POSTGRES_<major> (the folder above
/// `bin`), else from where the build found them. Thread safety: distinct objects: safe. Shared object: not
/// safe. Lifetime: a replica may outlive its primary object, but then follows nothing.
class server {
 public:
  /// Makes a data folder below `parent`, starts the server and waits until it takes connections.
  /// Errors: `precondition_failed` (no such PostgreSQL; says what to install), `node_unreachable` (with the
  /// end of the server's log). Cost: below a second; the first start of a major version on a machine runs
  /// initdb.
  static result<std::unique_ptr<server>> launch(std::filesystem::path const& parent, server_options options);
  ~server();
  server(server const&) = delete;
  server& operator=(server const&) = delete;

  std::string const& name() const noexcept;
  int major() const noexcept;
  pid_t pid() const noexcept;  ///< of the postmaster; 0 while it does not run
  std::uint16_t port() const noexcept;
  std::filesystem::path const& folder() const noexcept;  ///< holds `data`, the socket and `server.log`
  std::string log_tail() const;

  /// A libpq connection string over TCP, or over the unix socket.
  std::string conninfo(std::string_view database = "postgres", std::string_view user = "postgres") const;
  std::string socket_conninfo(std::string_view database = "postgres",
                              std::string_view user = "postgres") const;

  /// Runs SQL on a new connection as superuser and returns the first column of the last statement's first row
  /// ("" if there is none).
  result<std::string> query(std::string const& sql, std::string_view database = "postgres") const;

  /// SIGKILL to the postmaster and all its processes, as if the machine had died; returns when all are gone.
  result<void> kill_9();
  result<void> stop(stop_mode mode = stop_mode::fast);
  result<void> start();  ///< after `kill_9` or `stop`, on the same port; waits for recovery
  result<void> restart();
  /// Freezes all processes of the server (connections stay open, nothing answers) and lets them go on.
  result<void> pause();
  result<void> resume();

  /// Adds settings; they count from the next `reload` or `restart`.
  result<void> configure(settings_map const& settings);
  result<void> reload();

  /// A streaming replica of this server; returns when `pg_stat_replication` shows it streaming.
  result<std::unique_ptr<server>> make_replica(replica_options options);
  /// Makes a replica a primary on a new timeline.
  result<void> promote();

 private:
  struct state;
  explicit server(std::unique_ptr<state> fresh);
  std::unique_ptr<state> state_;
};

}  // namespace testing
}  // namespace v0
}  // namespace shardway
