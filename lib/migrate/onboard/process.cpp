#include "lib/migrate/onboard/process.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// AP21, AS27, AF10: what a role or a database may have set that changes what pg_dump prints and psql reads.
constexpr char program_settings[] =
    "PGOPTIONS=-c lock_timeout=5s -c client_min_messages=error -c statement_timeout=0 "
    "-c idle_in_transaction_session_timeout=0 -c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC "
    "-c bytea_output=hex -c extra_float_digits=3 -c lc_monetary=C -c array_nulls=on -c xmloption=content "
    "-c standard_conforming_strings=on -c transform_null_equals=off -c quote_all_identifiers=off "
    "-c default_transaction_read_only=off";

// Our variables come first: if a name occurs twice, the first one counts.
std::vector<std::string> environment_of(onboard_options const& options) {
  auto out = options.client_environment;
  out.emplace_back("LC_ALL=C.UTF-8");
  out.emplace_back(program_settings);
  for (char** entry = environ; *entry; ++entry) {
    std::string_view const text{*entry};
    if (!text.starts_with("LC_ALL=") && !text.starts_with("PGOPTIONS=")) out.emplace_back(text);
  }
  return out;
}

struct file_actions {
  file_actions(std::string const& output, std::string const& errors) {
    posix_spawn_file_actions_init(&raw);
    posix_spawn_file_actions_addopen(&raw, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&raw, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&raw, STDERR_FILENO, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  ~file_actions() { posix_spawn_file_actions_destroy(&raw); }
  file_actions(file_actions const&) = delete;
  file_actions& operator=(file_actions const&) = delete;
  posix_spawn_file_actions_t raw;
};

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

result<scratch_file> scratch_file::make() {
  auto const* folder = std::getenv("TMPDIR");
  std::string path = std::string(folder && *folder ? folder : "/tmp") + "/shardway.XXXXXX";
  int const handle = mkstemp(path.data());
  if (handle < 0)
    return error{error_code::precondition_failed,
                 std::string("no temporary file could be made: ") + std::strerror(errno), "set TMPDIR"};
  close(handle);
  return scratch_file{std::move(path)};
}

scratch_file::~scratch_file() {
  if (!path_.empty()) unlink(path_.c_str());
}

std::string scratch_file::text() const {
  std::ostringstream out;
  out << std::ifstream(path_).rdbuf();
  return std::move(out).str();
}

result<program_result> run_program(std::string const& program, std::vector<std::string> arguments,
                                   std::string const& output_path, onboard_options const& options) {
  BOOST_OUTCOME_TRY(auto const errors, scratch_file::make());
  auto const path = options.client_programs.empty() ? program : options.client_programs + '/' + program;
  arguments.insert(arguments.begin(), program);
  auto environment = environment_of(options);
  file_actions const actions{output_path, errors.path()};
  pid_t child = 0;
  int const failed = posix_spawnp(&child, path.c_str(), &actions.raw, nullptr, pointers(arguments).data(),
                                  pointers(environment).data());
  if (failed != 0)
    return error{error_code::precondition_failed, path + " could not be started: " + std::strerror(failed),
                 "install PostgreSQL's client programs"};
  int const exit_code = wait_for(child);
  return program_result{exit_code, errors.text()};
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
