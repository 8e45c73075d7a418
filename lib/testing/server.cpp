#include "shardway/testing/server.hpp"

#include <chrono>
#include <fstream>
#include <thread>
#include <tuple>

#include <signal.h>
#include <sys/stat.h>

#include "lib/testing/server_state.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds poll_interval{15};
constexpr milliseconds start_timeout{60'000};
constexpr milliseconds stop_timeout{30'000};

settings_map default_settings(server_options const& options, fs::path const& folder, std::uint16_t port) {
  settings_map settings{
      {"listen_addresses", "127.0.0.1"},
      {"port", std::to_string(port)},
      {"unix_socket_directories", folder.string()},
      {"wal_level", "logical"},
      {"max_replication_slots", "16"},
      {"max_wal_senders", "16"},
      {"max_prepared_transactions", "16"},
      {"wal_keep_size", "256MB"},
      {"shared_buffers", "32MB"},
      {"dynamic_shared_memory_type", "mmap"},  // in the data folder: nothing stays in /dev/shm after a kill
      {"logging_collector", "off"},
      {"log_timezone", "UTC"},
      {"timezone", "UTC"},
  };
  if (options.fast) settings["fsync"] = "off";
  for (auto const& [name, value] : options.settings) settings[name] = value;
  return settings;
}

template <class Condition>
bool wait_until(Condition const& condition, milliseconds timeout) {
  auto const deadline = steady_clock::now() + timeout;
  while (!condition()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(poll_interval);
  }
  return true;
}

void signal_all(std::vector<pid_t> const& processes, int number) {
  for (auto const process : processes) ::kill(process, number);
}

result<void> include_settings(fs::path const& data) {
  std::ofstream file(data / "postgresql.conf", std::ios::app);
  file << "\ninclude 'shardway.conf'\n";
  if (!file.flush())
    return error{error_code::precondition_failed, "postgresql.conf of a test server can't be written"};
  return success();
}

}  // namespace

server::server(std::unique_ptr<state> fresh) : state_(std::move(fresh)) {}

server::~server() {
  if (state_->pid == 0) return;
  signal_all(children_of(state_->pid), SIGCONT);
  ::kill(state_->pid, SIGCONT);
  ::kill(state_->pid, SIGQUIT);
  if (wait_until([&] { return has_exited(state_->pid); }, milliseconds(5000))) return;
  std::ignore = kill_9();
}

result<std::unique_ptr<server>> server::launch(fs::path const& parent, server_options options) {
  BOOST_OUTCOME_TRY(auto owner, server_account());
  BOOST_OUTCOME_TRY(auto prefix, postgres_prefix(options.major));
  BOOST_OUTCOME_TRY(auto port, reserved_port::take());
  auto const folder = parent / options.name;
  BOOST_OUTCOME_TRYV(make_folder(folder, owner));
  auto settings = default_settings(options, folder, port.number());
  auto fresh = std::make_unique<state>(state{std::move(options), std::move(owner), std::move(prefix), folder,
                                             std::move(port), 0, std::move(settings)});
  BOOST_OUTCOME_TRYV(make_data_folder(fresh->options.major, fresh->data(), fresh->owner));
  BOOST_OUTCOME_TRYV(include_settings(fresh->data()));
  std::unique_ptr<server> made(new server(std::move(fresh)));
  BOOST_OUTCOME_TRYV(made->start());
  return made;
}

std::string const& server::name() const noexcept { return state_->options.name; }
int server::major() const noexcept { return state_->options.major; }
pid_t server::pid() const noexcept { return state_->pid; }
std::uint16_t server::port() const noexcept { return state_->port.number(); }
fs::path const& server::folder() const noexcept { return state_->folder; }
std::string server::log_tail() const { return tail_of(state_->log()); }

std::string server::conninfo(std::string_view database, std::string_view user) const {
  return "host=127.0.0.1 port=" + std::to_string(port()) + " dbname=" + std::string(database) +
         " user=" + std::string(user) + " connect_timeout=10";
}

std::string server::socket_conninfo(std::string_view database, std::string_view user) const {
  return "host=" + folder().string() + " port=" + std::to_string(port()) +
         " dbname=" + std::string(database) + " user=" + std::string(user) + " connect_timeout=10";
}

result<std::string> server::query(std::string const& sql, std::string_view database) const {
  plain_connection connection(socket_conninfo(database));
  BOOST_OUTCOME_TRY(auto row, connection.first_row(sql, name()));
  return row.empty() ? std::string{} : std::move(row.front());
}

result<void> server::start() {
  if (state_->pid != 0) return success();
  BOOST_OUTCOME_TRYV(state_->write_settings());
  BOOST_OUTCOME_TRY(
      auto const child,
      spawn({.argv = {(state_->prefix / "bin" / "postgres").string(), "-D", state_->data().string()},
             .user = state_->owner,
             .output = state_->log()}));
  state_->pid = child;
  bool died = false;
  bool const has_started_or_died = wait_until(
      [&] {
        died = has_exited(child);
        return died || plain_connection(socket_conninfo()).is_open();
      },
      start_timeout);
  if (died) state_->pid = 0;
  if (has_started_or_died && !died) return success();
  return error{error_code::node_unreachable, "a test server did not start; its log ends with: " + log_tail()}
      .at_node(name());
}

result<void> server::kill_9() {
  if (state_->pid == 0) return success();
  ::kill(state_->pid, SIGSTOP);  // it starts no new process while its children are listed
  auto const children = children_of(state_->pid);
  ::kill(state_->pid, SIGKILL);
  signal_all(children, SIGKILL);
  auto const gone = [&] {
    for (auto const child : children)
      if (is_alive(child)) return false;
    return true;
  };
  bool const reaped = wait_until([&] { return has_exited(state_->pid); }, stop_timeout);
  if (!reaped || !wait_until(gone, stop_timeout))
    return error{error_code::deadline_exceeded, "a killed server is still there"}.at_node(name());
  state_->pid = 0;
  return success();
}

result<void> server::stop(stop_mode mode) {
  if (state_->pid == 0) return success();
  ::kill(state_->pid, mode == stop_mode::fast ? SIGINT : SIGQUIT);
  if (!wait_until([&] { return has_exited(state_->pid); }, stop_timeout))
    return error{error_code::deadline_exceeded,
                 "a test server did not stop; its log ends with: " + log_tail()}
        .at_node(name());
  state_->pid = 0;
  return success();
}

result<void> server::restart() {
  BOOST_OUTCOME_TRYV(stop());
  return start();
}

result<void> server::pause() {
  if (state_->pid == 0)
    return error{error_code::precondition_failed, "a server that does not run can't be paused"}.at_node(
        name());
  ::kill(state_->pid, SIGSTOP);
  signal_all(children_of(state_->pid), SIGSTOP);
  return success();
}

result<void> server::resume() {
  if (state_->pid == 0)
    return error{error_code::precondition_failed, "a server that does not run can't be resumed"}.at_node(
        name());
  signal_all(children_of(state_->pid), SIGCONT);
  ::kill(state_->pid, SIGCONT);
  return success();
}

result<void> server::configure(settings_map const& settings) {
  for (auto const& [name, value] : settings) state_->settings[name] = value;
  return state_->write_settings();
}

result<void> server::reload() {
  BOOST_OUTCOME_TRYV(query("SELECT pg_reload_conf()"));
  return success();
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
