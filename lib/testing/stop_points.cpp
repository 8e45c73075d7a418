#include "shardway/testing/stop_points.hpp"

#include <fstream>
#include <iterator>
#include <thread>

#include "shardway/base/ensure.hpp"
#include "shardway/base/stop_point.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

selected_stop_points::selected_stop_points([[maybe_unused]] std::string_view text) {
#ifdef SHARDWAY_TEST_SWITCHES
  stop_points::select(text);
#else
  ensure(false, "stop points need a build with SHARDWAY_TEST_SWITCHES");
#endif
}

selected_stop_points::~selected_stop_points() {
#ifdef SHARDWAY_TEST_SWITCHES
  stop_points::select("");
#endif
}

result<std::string> wait_for_stop(std::filesystem::path const& stop_file, std::chrono::milliseconds timeout) {
  auto const deadline = std::chrono::steady_clock::now() + timeout;
  while (!std::filesystem::exists(stop_file)) {
    if (std::chrono::steady_clock::now() > deadline)
      return error{error_code::deadline_exceeded, "no process reached its stop point",
                   "check the name in SHARDWAY_STOP_POINT"};
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::ifstream file(stop_file);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void release_stop(std::filesystem::path const& stop_file) {
  std::error_code ignored;
  std::filesystem::remove(stop_file, ignored);
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
