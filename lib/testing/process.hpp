// Child processes that die with this one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

struct account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};

/// The user who runs the servers: this user, or an unprivileged user if this is root (PostgreSQL refuses
/// root).
result<account> server_account();

struct spawn_request {
  std::vector<std::string> argv;  // argv[0] is the path of the program
  account user;
  std::filesystem::path output;  // gets stdout and stderr
};

/// Starts a child that gets SIGKILL when this process ends. The caller waits for it.
result<pid_t> spawn(spawn_request const& request);

/// Starts a child and waits for it. Errors: `precondition_failed`, with the end of what it wrote.
result<void> run(spawn_request const& request);

/// Whether a child has exited. If so, it is reaped.
bool has_exited(pid_t child);
std::vector<pid_t> children_of(pid_t parent);
bool is_alive(pid_t pid);  ///< false for a zombie too
std::string tail_of(std::filesystem::path const& file, std::size_t bytes = 1500);

}  // namespace testing
}  // namespace v0
}  // namespace shardway
