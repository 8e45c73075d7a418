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
  /// The name of its folder.
  std::string name = "pooler";

  /// Server connections for each pair of database and user; > 0. Use fewer than there are clients, so that
  /// transactions change backends.
  std::size_t server_connections = 2;
};

/// A PgBouncer that listens on 127.0.0.1 and lets every role in without a password. It dies with this
/// process, in whatever way that ends.
///
/// SHARDWAY_PGBOUNCER names the program; without it, it is `pgbouncer` of Debian's package. As root, it runs
/// as the servers' user.
///
/// Thread safety: distinct objects: safe. Shared object: not safe. Lifetime: the server outlives it.
class pooler {
 public:
  /// Starts it in front of the server `behind` and waits until it takes connections.
  ///
  /// Errors: `precondition_failed` (no PgBouncer; the message says what to install), `node_unreachable` (with
  /// the end of its log).
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
