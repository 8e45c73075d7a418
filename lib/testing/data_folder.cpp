#include "lib/testing/data_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/testing/system_identifier.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

namespace fs = std::filesystem;

namespace {

error failed(std::string what, int reason) {
  return error{error_code::precondition_failed, std::move(what) + ": " + std::strerror(reason)};
}

result<void> give(fs::path const& entry, account const& owner) {
  if (::geteuid() == 0 && ::lchown(entry.c_str(), owner.uid, owner.gid) != 0)
    return failed("changing the owner of " + entry.string(), errno);
  return success();
}

fs::path default_prefix(int major) {
  switch (major) {
    case 13:
      return SHARDWAY_POSTGRES_13_DEFAULT;
    case 15:
      return SHARDWAY_POSTGRES_15_DEFAULT;
    case 18:
      return SHARDWAY_POSTGRES_18_DEFAULT;
    default:
      return {};
  }
}

// The cache is in a folder that anyone may write to. It is trusted only if nobody else can write to it.
bool is_trusted(fs::path const& folder, account const& owner) {
  struct stat found{};
  return ::lstat(folder.c_str(), &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == owner.uid &&
         (found.st_mode & 077) == 0;
}

class file_lock {
 public:
  explicit file_lock(fs::path const& file)
      : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    if (fd_ >= 0) ::flock(fd_, LOCK_EX);
  }
  ~file_lock() {
    if (fd_ >= 0) ::close(fd_);
  }
  file_lock(file_lock const&) = delete;
  file_lock& operator=(file_lock const&) = delete;

 private:
  int fd_;
};

result<void> run_initdb(fs::path const& prefix, fs::path const& data, account const& owner,
                        fs::path const& log) {
  return run({.argv = {(prefix / "bin" / "initdb").string(), "-D", data.string(), "-U", "postgres", "-A",
                       "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"},
              .user = owner,
              .output = log});
}

// The name holds the program's size and time, so a new minor version makes a new template.
result<fs::path> template_folder(int major, account const& owner) {
  BOOST_OUTCOME_TRY(auto const prefix, postgres_prefix(major));
  struct stat program{};
  if (::stat((prefix / "bin" / "postgres").c_str(), &program) != 0)
    return failed("finding PostgreSQL", errno);
  auto const cache = fs::temp_directory_path() / ("shardway-initdb-" + std::to_string(owner.uid));
  if (::mkdir(cache.c_str(), 0700) == 0) {
    BOOST_OUTCOME_TRYV(give(cache, owner));
  }
  if (!is_trusted(cache, owner))
    return error{error_code::precondition_failed, cache.string() + " belongs to someone else",
                 "remove it or set TMPDIR"};
  auto const name =
      std::to_string(major) + "-" + std::to_string(program.st_size) + "-" + std::to_string(program.st_mtime);
  auto const ready = cache / name;
  file_lock const lock(cache / (name + ".lock"));
  if (fs::exists(ready)) return ready;
  auto const fresh = cache / (name + ".new");
  std::error_code ignored;
  fs::remove_all(fresh, ignored);
  BOOST_OUTCOME_TRYV(run_initdb(prefix, fresh, owner, cache / (name + ".log")));
  if (::rename(fresh.c_str(), ready.c_str()) != 0) return failed("keeping the initdb template", errno);
  return ready;
}

result<void> copy_entry(fs::directory_entry const& entry, fs::path const& copy, account const& owner) {
  std::error_code reason;
  if (entry.is_symlink(reason)) {
    fs::copy_symlink(entry.path(), copy, reason);
  } else if (entry.is_directory(reason)) {
    return make_folder(copy, owner);
  } else if (entry.is_regular_file(reason)) {
    fs::copy_file(entry.path(), copy, reason);
  } else {
    return success();  // sockets
  }
  if (reason == std::errc::no_such_file_or_directory) return success();
  if (reason) return failed("copying " + entry.path().string(), reason.value());
  return give(copy, owner);
}

}  // namespace

result<fs::path> postgres_prefix(int major) {
  auto const variable = "SHARDWAY_POSTGRES_" + std::to_string(major);
  char const* chosen = std::getenv(variable.c_str());
  fs::path const wanted = chosen ? fs::path(chosen) : default_prefix(major);
  std::error_code missing;
  // The servers' user may have no access to the folders of a symbolic link.
  auto const program = fs::canonical(wanted / "bin" / "postgres", missing);
  if (!wanted.empty() && !missing) return program.parent_path().parent_path();
  return error{error_code::precondition_failed,
               "PostgreSQL " + std::to_string(major) + " was not found at '" + wanted.string() + "'",
               "run cmake/bootstrap, or set " + variable + " to the folder above its bin"};
}

result<void> make_folder(fs::path const& folder, account const& owner) {
  if (::mkdir(folder.c_str(), 0700) != 0) return failed("making " + folder.string(), errno);
  return give(folder, owner);
}

result<void> write_file(fs::path const& file, std::string const& text, account const& owner) {
  {
    std::ofstream stream(file, std::ios::binary | std::ios::trunc);
    stream << text;
    if (!stream.flush()) return failed("writing " + file.string(), EIO);
  }
  return give(file, owner);
}

result<void> copy_tree(fs::path const& original, fs::path const& copy, account const& owner,
                       std::function<bool(fs::path const&)> const& skip) {
  BOOST_OUTCOME_TRYV(make_folder(copy, owner));
  std::error_code reason;
  fs::recursive_directory_iterator walk(original, reason);
  while (!reason && walk != fs::recursive_directory_iterator()) {
    auto const relative = walk->path().lexically_relative(original);
    if (skip && skip(relative)) {
      walk.disable_recursion_pending();
    } else {
      BOOST_OUTCOME_TRYV(copy_entry(*walk, copy / relative, owner));
    }
    walk.increment(reason);
  }
  if (reason && reason != std::errc::no_such_file_or_directory)
    return failed("walking through " + original.string(), reason.value());
  return success();
}

result<void> make_data_folder(int major, fs::path const& data, account const& owner) {
  BOOST_OUTCOME_TRY(auto const original, template_folder(major, owner));
  BOOST_OUTCOME_TRYV(copy_tree(original, data, owner));
  return renew_system_identifier(data);
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
