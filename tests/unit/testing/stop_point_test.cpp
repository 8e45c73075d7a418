// Stop points and guard switches, in this process and in one that is killed.
#include "shardway/base/stop_point.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shardway/base/test_switch.hpp"
#include "shardway/testing/stop_points.hpp"
#include "support/value_of.hpp"

namespace {

using namespace shardway;
using namespace shardway::testing;
using namespace std::chrono_literals;
using shardway_test::value_of;

class stopping : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("SHARDWAY_STOP_FILE", file.c_str(), 1); }
  void TearDown() override {
    ::unsetenv("SHARDWAY_STOP_FILE");
    release_stop(file);
  }
  std::filesystem::path const file =
      std::filesystem::temp_directory_path() / ("shardway-stop-" + std::to_string(::getpid()));
};

TEST_F(stopping, nothing_happens_unless_selected) {
  EXPECT_FALSE(stop_point("before_fence_flip"));
  selected_stop_points const chosen("somewhere_else:error");
  EXPECT_FALSE(stop_point("before_fence_flip"));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(stopping, error_acts_at_the_nth_passing_only) {
  selected_stop_points const chosen("other:error,before_fence_flip:error:2");
  EXPECT_FALSE(stop_point("before_fence_flip"));
  EXPECT_TRUE(stop_point("before_fence_flip"));
  EXPECT_FALSE(stop_point("before_fence_flip"));
  EXPECT_TRUE(stop_point("other"));
}

TEST_F(stopping, pause_waits_until_it_is_released) {
  selected_stop_points const chosen("after_shard_apply:pause");
  std::jthread passing([] { EXPECT_FALSE(stop_point("after_shard_apply")); });
  EXPECT_EQ(value_of(wait_for_stop(file)), "after_shard_apply");
  release_stop(file);
  passing.join();
}

TEST_F(stopping, kill_ends_the_process_that_the_environment_names) {
  pid_t const child = ::fork();
  if (child == 0) {
    ::setenv("SHARDWAY_STOP_POINT", "before_commit", 1);
    stop_points::was_read = false;
    stop_points::is_quiet = false;
    stop_point("elsewhere");
    stop_point("before_commit");
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_EQ(value_of(wait_for_stop(file, 1s)), "before_commit");
}

TEST_F(stopping, a_point_that_is_never_reached_is_an_error) {
  auto const waited = wait_for_stop(file, 20ms);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code(), error_code::deadline_exceeded);
}

TEST(stopping_text, nonsense_ends_the_process) {
  EXPECT_DEATH(stop_points::select("name:explode"), "name:explode");
  EXPECT_DEATH(stop_points::select("name:kill:0"), "expected");
  EXPECT_DEATH(stop_points::select(":kill"), "empty");
}

TEST(guard_switch, lists_whole_names) {
  EXPECT_FALSE(guard_off("fence"));
  ::setenv("SHARDWAY_GUARD_OFF", "key_lock,fence_read", 1);
  EXPECT_TRUE(guard_off("key_lock"));
  EXPECT_TRUE(guard_off("fence_read"));
  EXPECT_FALSE(guard_off("fence"));
  ::unsetenv("SHARDWAY_GUARD_OFF");
  EXPECT_FALSE(guard_off("fence_read"));
}

}  // namespace
