// The state of a server object, and what starting, stopping and copying share.
#pragma once

#include <string>

#include <libpq-fe.h>

#include "lib/testing/data_folder.hpp"
#include "shardway/testing/server.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

/// A port below the range from which the kernel takes ports. A lock on a file reserves it as long as the
/// object lives, so other processes with this library do not use it, even while the server is down.
class reserved_port {
 public:
  static result<reserved_port> take();
  reserved_port(reserved_port&& other) noexcept;
  reserved_port& operator=(reserved_port&&) = delete;
  ~reserved_port();
  std::uint16_t number() const noexcept { return number_; }

 private:
  reserved_port(std::uint16_t number, int fd) : number_(number), fd_(fd) {}
  std::uint16_t number_;
  int fd_;
};

struct server::state {
  server_options options;
  account owner;
  std::filesystem::path prefix;
  std::filesystem::path folder;
  reserved_port port;
  pid_t pid = 0;
  settings_map settings{};

  std::filesystem::path data() const { return folder / "data"; }
  std::filesystem::path log() const { return folder / "server.log"; }
  result<void> write_settings() const;
};

/// A libpq connection that closes itself.
class plain_connection {
 public:
  explicit plain_connection(std::string const& conninfo) : raw_(PQconnectdb(conninfo.c_str())) {}
  ~plain_connection() { PQfinish(raw_); }
  plain_connection(plain_connection const&) = delete;
  plain_connection& operator=(plain_connection const&) = delete;
  bool is_open() const { return PQstatus(raw_) == CONNECTION_OK; }
  std::string why() const { return PQerrorMessage(raw_); }
  /// The first row's columns as text; empty without a row.
  result<std::vector<std::string>> first_row(std::string const& sql, std::string const& node);

 private:
  PGconn* raw_;
};

}  // namespace testing
}  // namespace v0
}  // namespace shardway
