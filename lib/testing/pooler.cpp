#include "shardway/testing/pooler.hpp"

#include <chrono>
#include <cstdlib>
#include <thread>
#include <tuple>

#include <signal.h>

#include "lib/testing/server_state.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

namespace fs = std::filesystem;

struct pooler::state {
  account owner;
  fs::path folder;
  reserved_port port;
  pid_t pid = 0;
};

namespace {

constexpr std::chrono::milliseconds poll_interval{15};

result<std::string> program() {
  if (char const* given = std::getenv("SHARDWAY_PGBOUNCER")) return std::string{given};
  for (auto const* path : {"/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"}) {
    if (fs::exists(path)) return std::string{path};
  }
  return error{error_code::precondition_failed, "there is no pgbouncer on this machine",
               "install Debian's package pgbouncer, or name the program in SHARDWAY_PGBOUNCER"};
}

std::string configuration(server const& behind, pooler_options const& options, std::uint16_t port,
                          fs::path const& users) {
  return "[databases]\n* = host=127.0.0.1 port=" + std::to_string(behind.port()) +
         "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nunix_socket_dir =\nauth_type = trust\npool_mode = "
         "transaction\nmax_client_conn = 500\n"
         "auth_file = " +
         users.string() + "\nlisten_port = " + std::to_string(port) +
         "\ndefault_pool_size = " + std::to_string(options.server_connections) + "\n";
}

template <class Condition>
bool wait_until(Condition const& condition, std::chrono::milliseconds timeout) {
  auto const deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(poll_interval);
  }
  return true;
}

}  // namespace

pooler::pooler(std::unique_ptr<state> fresh) : state_(std::move(fresh)) {}

pooler::~pooler() {
  if (state_->pid == 0) return;
  ::kill(state_->pid, SIGTERM);
  if (wait_until([&] { return has_exited(state_->pid); }, std::chrono::seconds(5))) return;
  ::kill(state_->pid, SIGKILL);
  std::ignore = wait_until([&] { return has_exited(state_->pid); }, std::chrono::seconds(5));
}

result<std::unique_ptr<pooler>> pooler::launch(fs::path const& parent, server const& behind,
                                               pooler_options options) {
  BOOST_OUTCOME_TRY(auto const path, program());
  BOOST_OUTCOME_TRY(auto owner, server_account());
  BOOST_OUTCOME_TRY(auto port, reserved_port::take());
  auto const folder = parent / options.name;
  BOOST_OUTCOME_TRYV(make_folder(folder, owner));
  BOOST_OUTCOME_TRY(
      auto const roles,
      behind.query(
          "SELECT string_agg('\"' || rolname || '\" \"\"', E'\\n') FROM pg_roles WHERE rolcanlogin"));
  BOOST_OUTCOME_TRYV(write_file(folder / "users", roles + "\n", owner));
  BOOST_OUTCOME_TRYV(write_file(folder / "pgbouncer.ini",
                                configuration(behind, options, port.number(), folder / "users"), owner));
  std::unique_ptr<pooler> made(new pooler(std::make_unique<state>(state{owner, folder, std::move(port), 0})));
  auto const log = folder / "pgbouncer.log";
  BOOST_OUTCOME_TRY(
      made->state_->pid,
      spawn({.argv = {path, (folder / "pgbouncer.ini").string()}, .user = owner, .output = log}));
  bool died = false;
  auto const has_started_or_died = [&] {
    died = has_exited(made->state_->pid);
    return died || plain_connection(made->conninfo()).is_open();
  };
  if (wait_until(has_started_or_died, std::chrono::seconds(20)) && !died) return made;
  if (died) made->state_->pid = 0;
  return error{error_code::node_unreachable,
               "a test pooler did not start; its log ends with: " + tail_of(log)}
      .at_node(options.name);
}

pid_t pooler::pid() const noexcept { return state_->pid; }
std::uint16_t pooler::port() const noexcept { return state_->port.number(); }

std::string pooler::conninfo(std::string_view database, std::string_view user) const {
  return "host=127.0.0.1 port=" + std::to_string(port()) + " dbname=" + std::string(database) +
         " user=" + std::string(user) + " connect_timeout=10";
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
