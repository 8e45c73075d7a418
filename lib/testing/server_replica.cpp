// Bodies of server.hpp: streaming replicas. They are made with the backup functions, which work the same on
// each version; pg_basebackup refuses newer servers.
#include <chrono>
#include <fstream>
#include <thread>

#include "lib/testing/server_state.hpp"
#include "shardway/testing/server.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

namespace fs = std::filesystem;

namespace {

// True for what a base backup leaves out: the primary's WAL, its replication slots, and the files of a
// running server.
bool is_left_out(fs::path const& relative) {
  auto const top = relative.begin()->string();
  if (top == "postmaster.pid" || top == "postmaster.opts" || top == "shardway.conf") return true;
  for (char const* folder : {"pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots",
                             "pg_stat_tmp", "pg_subtrans"})
    if (top == folder) return relative != fs::path(folder);
  return false;
}

result<void> copy_running(server const& primary, fs::path const& original, fs::path const& copy,
                          account const& owner) {
  plain_connection connection(primary.socket_conninfo());
  bool const is_old = primary.major() < 15;
  BOOST_OUTCOME_TRYV(connection.first_row(
      is_old ? "SELECT pg_start_backup('replica', true, false)" : "SELECT pg_backup_start('replica', true)",
      primary.name()));
  BOOST_OUTCOME_TRYV(copy_tree(original, copy, owner, is_left_out));
  BOOST_OUTCOME_TRYV(make_folder(copy / "pg_wal" / "archive_status", owner));
  BOOST_OUTCOME_TRY(
      auto const ended,
      connection.first_row(is_old ? "SELECT labelfile, spcmapfile FROM pg_stop_backup(false, false)"
                                  : "SELECT labelfile, spcmapfile FROM pg_backup_stop(false)",
                           primary.name()));
  if (ended.size() != 2)
    return error{error_code::corrupt_data, "the end of a base backup returned no label"}.at_node(
        primary.name());
  BOOST_OUTCOME_TRYV(write_file(copy / "backup_label", ended[0], owner));
  return write_file(copy / "standby.signal", "", owner);
}

std::string upstream(server const& primary, replica_options const& options) {
  auto const host = options.primary_host.empty() ? std::string("127.0.0.1") : options.primary_host;
  auto const port = options.primary_port ? options.primary_port : primary.port();
  return "host=" + host + " port=" + std::to_string(port) + " user=postgres application_name=" + options.name;
}

result<void> wait_until_streaming(server const& primary, server const& replica) {
  auto const question =
      "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND application_name = '" +
      replica.name() + "'";
  auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    BOOST_OUTCOME_TRY(auto const streaming, primary.query(question));
    if (streaming != "0") return success();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return error{error_code::deadline_exceeded,
               "a replica does not stream; its log ends with: " + replica.log_tail()}
      .at_node(replica.name());
}

}  // namespace

result<std::unique_ptr<server>> server::make_replica(replica_options options) {
  BOOST_OUTCOME_TRY(auto port, reserved_port::take());
  auto const folder = state_->folder.parent_path() / options.name;
  BOOST_OUTCOME_TRYV(make_folder(folder, state_->owner));
  auto settings = state_->settings;
  settings["port"] = std::to_string(port.number());
  settings["unix_socket_directories"] = folder.string();
  settings["primary_conninfo"] = upstream(*this, options);
  settings["recovery_min_apply_delay"] = std::to_string(options.replay_delay.count()) + "ms";
  for (auto const& [name, value] : options.settings) settings[name] = value;
  auto kind = state_->options;
  kind.name = options.name;
  auto fresh = std::make_unique<state>(
      state{std::move(kind), state_->owner, state_->prefix, folder, std::move(port), 0, std::move(settings)});
  BOOST_OUTCOME_TRYV(copy_running(*this, state_->data(), fresh->data(), state_->owner));
  std::unique_ptr<server> replica(new server(std::move(fresh)));
  BOOST_OUTCOME_TRYV(replica->start());
  BOOST_OUTCOME_TRYV(wait_until_streaming(*this, *replica));
  return replica;
}

result<void> server::promote() {
  BOOST_OUTCOME_TRY(auto const answer, query("SELECT pg_promote(true, 60)"));
  if (answer == "t") return success();
  return error{error_code::deadline_exceeded, "a replica was not promoted; its log ends with: " + log_tail()}
      .at_node(name());
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
