// A real PgBouncer in transaction mode in front of a test server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "shardway/testing/server.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

struct pooler_options {
  std::string name = "pooler";         ///< names its folder
  std::size_t server_connections = 2;  ///< > 0: for each pair of database and user; less than the clients, so
                                       ///< that transactions change backends
};

/// It listens on 127.0.0.1 and takes every role without a password. It dies with this process, however that
/// ends.
///
/// The program is the one named by SHARDWAY_PGBOUNCER, else `pgbouncer` of Debian's package. As root, it runs
/// as the servers' user. Thread safety: distinct objects: safe. Shared object: not safe. Lifetime: ends
/// before the server it stands before.
class pooler {
 public:
  /// Starts it before a server and waits until it takes connections.
  /// Errors: `precondition_failed` (no PgBouncer; says what to install), `node_unreachable` (with the end of
  /// its log).
  static result<std::unique_ptr<pooler>> launch(std::filesystem::path const& parent, server const& behind,
                                                pooler_options options = {});
  ~pooler();
  pooler(pooler const&) = delete;
  pooler& operator=(pooler const&) = delete;

  pid_t pid() const noexcept;
  std::uint16_t port() const noexcept;
  std::string conninfo(std::string_view database = "postgres", std::string_view user = "postgres") const;

 private:
  struct state;
  explicit pooler(std::unique_ptr<state> fresh);
  std::unique_ptr<state> state_;
};

}  // namespace testing
}  // namespace v0
}  // namespace shardway
