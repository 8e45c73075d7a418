#include "lib/testing/process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <future>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/testing/spawner.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

namespace {

// All that the child needs. It is made before the fork, because afterwards only async-signal-safe calls are
// allowed.
struct prepared {
  std::vector<char*> argv;
  std::vector<char*> environment;
  int output = -1;
  int report = -1;
  account user;
  pid_t parent = 0;
  bool changes_user = false;
};

[[noreturn]] void fail_child(prepared const& p) {
  int const reason = errno;
  [[maybe_unused]] auto const ignored = ::write(p.report, &reason, sizeof reason);
  ::_exit(127);
}

// PR_SET_PDEATHSIG is cleared by a change of user, so it comes after that.
[[noreturn]] void become(prepared const& p) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number : {SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGHUP, SIGCHLD}) ::signal(number, SIG_DFL);
  ::setsid();  // Ctrl-C at the terminal reaches only the test, which then stops its servers
  int const nothing = ::open("/dev/null", O_RDONLY);
  if (nothing < 0 || ::dup2(nothing, 0) < 0 || ::dup2(p.output, 1) < 0 || ::dup2(p.output, 2) < 0)
    fail_child(p);
  if (p.changes_user && (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
                         ::syscall(SYS_setgid, p.user.gid) != 0 || ::syscall(SYS_setuid, p.user.uid) != 0))
    fail_child(p);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail_child(p);
  if (::getppid() != p.parent || ::chdir("/") != 0) ::_exit(126);
  ::umask(077);
  ::execve(p.argv[0], p.argv.data(), p.environment.data());
  fail_child(p);
}

std::vector<char*> pointers(std::vector<std::string> const& texts) {
  std::vector<char*> result;
  for (auto const& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

error refused(std::string what, int reason) {
  return error{error_code::precondition_failed, std::move(what) + ": " + std::strerror(reason)};
}

// Runs in the spawner's thread. A successful exec closes the pipe.
result<pid_t> fork_and_exec(prepared p, std::string const& program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return refused("a pipe can't be made", errno);
  p.report = ends[1];
  p.parent = ::getpid();
  pid_t const child = ::fork();
  if (child == 0) become(p);
  int const fork_errno = errno;
  ::close(ends[1]);
  int reason = 0;
  auto const got = child < 0 ? 0 : ::read(ends[0], &reason, sizeof reason);
  ::close(ends[0]);
  if (child < 0) return refused("fork", fork_errno);
  if (got <= 0) return child;
  ::waitpid(child, nullptr, 0);
  return refused("starting " + program, reason);
}

}  // namespace

result<account> server_account() {
  if (::geteuid() != 0) return account{::geteuid(), ::getegid(), {}};
  char const* chosen = std::getenv("SHARDWAY_SERVER_USER");
  std::vector<std::string> candidates =
      chosen ? std::vector<std::string>{chosen} : std::vector<std::string>{"postgres", "nobody"};
  for (auto const& name : candidates) {
    passwd entry{};
    passwd* found{};
    // Servers of a cluster start in parallel, and the call without a buffer is not safe in several threads.
    std::array<char, 4096> texts{};
    if (::getpwnam_r(name.c_str(), &entry, texts.data(), texts.size(), &found) == 0 && found &&
        found->pw_uid != 0)
      return account{found->pw_uid, found->pw_gid, name};
  }
  return error{error_code::precondition_failed, "no unprivileged user to run the servers as",
               "PostgreSQL refuses root: create the user postgres, or name one in SHARDWAY_SERVER_USER"};
}

result<pid_t> spawn(spawn_request const& request) {
  int const output = ::open(request.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (output < 0) return refused("opening " + request.output.string(), errno);
  std::vector<std::string> const environment{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC",
                                             "HOME=/"};
  prepared p;
  p.argv = pointers(request.argv);
  p.environment = pointers(environment);
  p.output = output;
  p.user = request.user;
  p.changes_user = ::geteuid() == 0;
  auto child = in_spawner_thread([&] { return fork_and_exec(p, request.argv.front()); });
  ::close(output);
  return child;
}

result<void> run(spawn_request const& request) {
  BOOST_OUTCOME_TRY(auto const child, spawn(request));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return success();
  return error{error_code::precondition_failed, request.argv.front() + " failed: " + tail_of(request.output)};
}

bool has_exited(pid_t child) {
  auto const answer = ::waitpid(child, nullptr, WNOHANG);
  return answer == child || (answer < 0 && errno == ECHILD);
}

std::vector<pid_t> children_of(pid_t parent) {
  std::ifstream list("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  std::vector<pid_t> result;
  for (pid_t child = 0; list >> child;) result.push_back(child);
  return result;
}

bool is_alive(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  auto const end_of_name = line.rfind(") ");  // the name may hold anything
  return end_of_name != std::string::npos && line[end_of_name + 2] != 'Z' && line[end_of_name + 2] != 'X';
}

std::string tail_of(std::filesystem::path const& file, std::size_t bytes) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  auto all = std::move(text).str();
  return all.size() <= bytes ? all : all.substr(all.size() - bytes);
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
