// A connection string becomes a session, with a deadline.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "shardway/base/result.hpp"
#include "shardway/store/change_stream.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// How to reach one node.
struct connect_options {
  std::string node;      ///< its name in the migration; used in errors
  std::string conninfo;  ///< libpq's keyword form; must not hold a password (use a password file, a service file or `password_provider`)
  std::string application_name{"shardway"};
  /// > 0; covers TCP, TLS and authentication. A name is looked up by the system's resolver, which has its own time-out: give `hostaddr` beside
  /// `host` where that is too long.
  std::chrono::milliseconds connect_timeout{5000};
  std::function<result<std::string>()> password_provider{};         ///< asked at each connect; may be empty
};

/// Connects. Sets search_path = pg_catalog, pg_temp; client_encoding = UTF8; TimeZone = UTC; DateStyle = ISO; IntervalStyle = postgres;
/// bytea_output = hex; extra_float_digits = 3; and `standard_conforming_strings` on. Errors: `node_unreachable`, `authentication_failed`, `invalid_argument`.
/// Cost: one connection; one round trip after authentication.
result<std::unique_ptr<session>> connect(connect_options const&);

/// Connects with `replication=database` and starts logical decoding with pgoutput, protocol 1.
/// Errors: as `connect`; `stream_broken` if the replication slot is absent, lost, or already past `start` (the changes between are not sent
/// again: a gap, S7); `precondition_failed` if it is in use, of another plug-in, or a publication is absent.
result<std::unique_ptr<change_stream>> open_change_stream(connect_options const&, change_stream_options const&);

}  // namespace v0
}  // namespace shardway
