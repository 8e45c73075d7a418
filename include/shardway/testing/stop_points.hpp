// For tests: selects the named stop points of `base/stop_point.hpp`, and waits for them.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

/// Selects stop points in this process as long as the object lives. The text has the form of
/// SHARDWAY_STOP_POINT.
///
/// Preconditions: the library was built with SHARDWAY_TEST_SWITCHES. Otherwise the constructor ends the
/// program, because a test that stops nowhere proves nothing. Thread safety: one object at a time in a
/// process.
class selected_stop_points {
 public:
  explicit selected_stop_points(std::string_view text);
  ~selected_stop_points();
  selected_stop_points(selected_stop_points const&) = delete;
  selected_stop_points& operator=(selected_stop_points const&) = delete;
};

/// Waits until a process has reached a stop point, and returns the point's name. Errors: `deadline_exceeded`.
result<std::string> wait_for_stop(std::filesystem::path const& stop_file,
                                  std::chrono::milliseconds timeout = std::chrono::seconds(30));

/// Lets a process go on that waits at a `pause`.
void release_stop(std::filesystem::path const& stop_file);

}  // namespace testing
}  // namespace v0
}  // namespace shardway
