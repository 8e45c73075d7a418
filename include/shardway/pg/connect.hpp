// A connection string becomes a session, with a deadline.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// What stands between us and the server.
enum class connection_path : unsigned char {
  direct,  ///< nothing, or a pooler in session mode
  /// A pooler in transaction mode, such as PgBouncer: nothing is set, prepared or listened to for the whole
  /// session. The role then needs `search_path = pg_catalog, pg_temp` and `TimeZone = UTC` of its own (ALTER
  /// ROLE ... SET), for the pooler's connections are used by others too. An unanswered COMMIT is looked for
  /// without ending its backend, so that `in_doubt` is met a little more often.
  transaction_pooler,
};

/// How to reach one node.
struct connect_options {
  std::string node;      ///< its name in the migration; used in errors
  std::string conninfo;  ///< libpq's keyword form; must not hold a password (use a password file, a service
                         ///< file or `password_provider`)
  std::string application_name{"shardway"};
  /// > 0; covers TCP, TLS and authentication. A name is looked up by the system's resolver, which has its own
  /// time-out: give `hostaddr` beside `host` where that is too long.
  std::chrono::milliseconds connect_timeout{5000};
  std::function<result<std::string>()> password_provider{};  ///< asked at each connect; may be empty
  connection_path path{connection_path::direct};
};

/// Connects. Sets search_path = pg_catalog, pg_temp; client_encoding = UTF8; TimeZone = UTC; DateStyle = ISO;
/// IntervalStyle = postgres; bytea_output = hex; extra_float_digits = 3; and `standard_conforming_strings`
/// on. Errors: `node_unreachable`, `authentication_failed`, `invalid_argument`. By `transaction_pooler` these
/// are looked at and not set: `precondition_failed` names those that differ, and the statement that mends it.
/// Cost: one connection; one round trip after authentication.
result<std::unique_ptr<session>> connect(connect_options const&);

}  // namespace v0
}  // namespace shardway
