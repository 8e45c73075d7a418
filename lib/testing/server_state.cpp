#include "lib/testing/server_state.hpp"

#include <random>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace shardway {
inline namespace v0 {
namespace testing {

namespace {

constexpr std::uint16_t port_first = 20000;
constexpr std::uint16_t port_last = 31999;

bool is_free(std::uint16_t port) {
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  int const yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool const bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

std::string quoted(std::string const& value) {
  std::string text = "'";
  for (char c : value) text += c == '\'' ? "''" : std::string(1, c);
  return text + "'";
}

}  // namespace

result<reserved_port> reserved_port::take() {
  auto const locks = std::filesystem::temp_directory_path() / "shardway-ports";
  if (::mkdir(locks.c_str(), 0755) == 0) ::chmod(locks.c_str(), 01777);
  std::random_device entropy;
  std::uniform_int_distribution<int> any(port_first, port_last);
  for (int tries = 0; tries < 200; ++tries) {
    auto const port = static_cast<std::uint16_t>(any(entropy));
    auto const file = locks / std::to_string(port);
    int const fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0 && is_free(port)) return reserved_port(port, fd);
    if (fd >= 0) ::close(fd);
  }
  return error{error_code::precondition_failed, "no free port between 20000 and 31999 on this machine"};
}

reserved_port::reserved_port(reserved_port&& other) noexcept
    : number_(other.number_), fd_(std::exchange(other.fd_, -1)) {}

// The file stays. If it were removed, two processes could hold locks on two files with the same name.
reserved_port::~reserved_port() {
  if (fd_ >= 0) ::close(fd_);
}

result<void> server::state::write_settings() const {
  std::string text;
  for (auto const& [name, value] : settings) text += name + " = " + quoted(value) + "\n";
  return write_file(data() / "shardway.conf", text, owner);
}

result<std::vector<std::string>> plain_connection::first_row(std::string const& sql,
                                                             std::string const& node) {
  if (!is_open())
    return error{error_code::node_unreachable, "connecting to a test server failed"}
        .at_node(node)
        .with_server("", why());
  PGresult* answer = PQexec(raw_, sql.c_str());
  auto const status = PQresultStatus(answer);
  std::vector<std::string> row;
  if (status == PGRES_TUPLES_OK && PQntuples(answer) > 0)
    for (int column = 0; column < PQnfields(answer); ++column)
      row.emplace_back(PQgetvalue(answer, 0, column));
  char const* sqlstate = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
  std::string const code = sqlstate ? sqlstate : "";
  PQclear(answer);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return row;
  return error{error_code::sql_error, "a statement of a test failed"}.at_node(node).with_server(code, why());
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
