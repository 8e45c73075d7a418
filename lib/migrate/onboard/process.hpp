// Runs pg_dump and psql as children.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// A file of our own, mode 0600, removed with the object.
class scratch_file {
 public:
  static result<scratch_file> make();
  scratch_file(scratch_file&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  scratch_file& operator=(scratch_file&&) = delete;
  ~scratch_file();
  std::string const& path() const noexcept { return path_; }
  std::string text() const;

 private:
  explicit scratch_file(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

struct program_result {
  int exit_code{};
  std::string errors;  ///< its standard error. It may hold names, so do not log it
};

/// Runs a program of the client tools with standard output into the file and waits for its end.
/// Errors: `precondition_failed` if it cannot be started.
result<program_result> run_program(std::string const& program, std::vector<std::string> arguments,
                                   std::string const& output_path, onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
