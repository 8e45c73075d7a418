// Opens a session from a connection string, within a deadline.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// What stands between the library and the server.
enum class connection_path : unsigned char {
  /// Nothing, or a pooler in session mode.
  direct,

  /// A pooler in transaction mode, such as PgBouncer. The library then sets, prepares and listens to nothing
  /// for
  /// a whole session.
  ///
  /// The role needs `search_path = pg_catalog, pg_temp` and `TimeZone = UTC` of its own (ALTER ROLE ... SET),
  /// because others use the pooler's connections too. When a COMMIT got no answer, the library cannot end its
  /// backend, so `in_doubt` is a little more frequent.
  transaction_pooler,
};

/// How to reach one node.
struct connect_options {
  /// The node's name in the migration. Errors name it.
  std::string node;

  /// The connection string in libpq's keyword form. It must not hold a password: use a password file, a
  /// service file or `password_provider`.
  std::string conninfo;

  /// Shown in `pg_stat_activity`.
  std::string application_name{"shardway"};

  /// The limit for TCP, TLS and authentication together; > 0. The system's resolver looks host names up and
  /// has its own time-out. Where that is too long, give `hostaddr` beside `host`.
  std::chrono::milliseconds connect_timeout{5000};

  /// Returns the password. It is asked at each connect. May be empty.
  std::function<result<std::string>()> password_provider{};

  /// What stands between the library and the server.
  connection_path path{connection_path::direct};
};

/// Connects to a node.
///
/// Sets all that could change how values are read or written (search_path = pg_catalog, pg_temp; TimeZone =
/// UTC and its like; row_security = off), no timeouts, read committed, and synchronous_commit = on where it
/// is off: a role's or database's own settings do not count. Through a `transaction_pooler` it sets none of
/// them but checks those that an application's session needs.
///
/// Errors: `node_unreachable`, `authentication_failed`, `invalid_argument`; through a `transaction_pooler`
/// also `precondition_failed`, which names the settings that differ and the statement that corrects them.
/// Cost: one connection; one round trip after authentication.
result<std::unique_ptr<session>> connect(connect_options const&);

}  // namespace v0
}  // namespace shardway
