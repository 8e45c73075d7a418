// Each stop point in a migration of its own, and each server killed at each step of a wave. Long: on demand.
#include <gmock/gmock.h>

#include "kill_fixture.hpp"

namespace shardway_test {
namespace {

auto const readable = [](auto const& one) { return std::string(one.param); };

class each_stop_point : public kill_walk, public ::testing::WithParamInterface<char const*> {};

TEST_P(each_stop_point, killed_there_the_migration_goes_on) { walk({GetParam()}); }

INSTANTIATE_TEST_SUITE_P(of_onboarding, each_stop_point,
                         ::testing::Values("onboard_after_schema", "onboard_after_publication"), readable);
INSTANTIATE_TEST_SUITE_P(of_the_copy, each_stop_point,
                         ::testing::Values("before_chunk_snapshot", "after_chunk_snapshot",
                                           "during_chunk_copy", "after_chunk_copy", "before_chunk_close"),
                         readable);
INSTANTIATE_TEST_SUITE_P(of_the_streams, each_stop_point,
                         ::testing::Values("before_batch_commit", "after_batch_commit", "before_confirm",
                                           "before_mirror_commit", "after_mirror_commit"),
                         readable);
INSTANTIATE_TEST_SUITE_P(of_a_repair, each_stop_point,
                         ::testing::Values("repair_after_look", "repair_after_authority",
                                           "repair_before_commit"),
                         readable);
INSTANTIATE_TEST_SUITE_P(of_a_wave, each_stop_point,
                         ::testing::Values("wave_after_journal", "wave_before_fence", "wave_after_fence",
                                           "wave_after_marker", "wave_after_drain", "wave_after_commit",
                                           "wave_after_one_open", "wave_after_open", "wave_after_publish",
                                           "wave_after_abort"),
                         readable);
INSTANTIATE_TEST_SUITE_P(of_the_end, each_stop_point,
                         ::testing::Values("controller_after_lease", "finalize_after_reverse"), readable);

// X7: a server dies when a wave has reached a given point. Its clients fail meanwhile: their writes are
// reported as failed or in doubt, not lost.
class server_kill : public kill_fixture,
                    public ::testing::WithParamInterface<std::tuple<char const*, char const*>> {
 protected:
  void pause_wave(std::string const& point) {
    run_controller(point + ":pause");
    asked_ = enqueue("wave", wave_to(50));
    for (auto reached = shardway::testing::wait_for_stop(stop_file(), 1s); !reached;
         reached = shardway::testing::wait_for_stop(stop_file(), 1s))
      if (value_of(find_request(*catalog_, asked_))->state == request_state::failed)
        asked_ = enqueue("wave", wave_to(50));
  }
  void settle() {
    ASSERT_TRUE(soon(
        [&] {
          ensure_controller();  // it ends if its lease ran out meanwhile
          return owned().nowhere == 0;
        },
        60s))
        << "slots stay closed on both sides";
  }
  std::int64_t asked_{};
};

TEST_P(server_kill, in_mid_wave_loses_nothing) {
  auto const [which, point] = GetParam();
  begin();
  run_controller();
  prepare_waves();
  ASSERT_NO_FATAL_FAILURE(pause_wave(point));
  auto& node = std::string_view(which) == "source" ? fleet_->source() : fleet_->shard(0);
  require(node.kill_9());
  require(node.start());
  catalog_ = open(fleet_->source(), "engine");
  shardway::testing::release_stop(stop_file());
  ASSERT_NO_FATAL_FAILURE(settle());
  EXPECT_EQ(owned().twice, 0);
  auto const written = service_->acknowledged().size();
  EXPECT_TRUE(soon([&] { return service_->acknowledged().size() > written + 100; }))
      << "the writers do not go on: " << service_->first_failure();
  ensure_controller();
  wave(60);
  EXPECT_LT(owned().on_source, 4096 * 45 / 100);
  expect_whole();
}

INSTANTIATE_TEST_SUITE_P(
    at, server_kill,
    ::testing::Combine(::testing::Values("source", "shard"),
                       ::testing::Values("wave_after_journal", "wave_after_fence", "wave_after_marker",
                                         "wave_after_drain", "wave_after_commit", "wave_after_one_open",
                                         "wave_after_open", "wave_after_publish")),
    [](auto const& one) { return std::string(std::get<0>(one.param)) + "_" + std::get<1>(one.param); });

}  // namespace
}  // namespace shardway_test
