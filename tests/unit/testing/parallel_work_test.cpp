// Work beside a test: it ends with the test, and its failure is shown.
#include "support/parallel_work.hpp"

#include <atomic>
#include <stdexcept>
#include <thread>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

namespace {

using shardway_test::parallel_work;

void fail() { throw std::runtime_error("the server is gone"); }

TEST(parallel_work, a_test_that_ends_early_shows_its_own_failure) {
  std::atomic<bool> stopping{};
  auto const end_early = [&] {
    parallel_work const work(
        [&] {
          while (!stopping) std::this_thread::yield();
        },
        [&] { stopping = true; });
    throw std::runtime_error("not in time");
  };
  EXPECT_THROW(end_early(), std::runtime_error);
  EXPECT_TRUE(stopping);
}

TEST(parallel_work, its_exception_comes_out_of_finish_once) {
  parallel_work work(fail);
  EXPECT_THROW(work.finish(), std::runtime_error);
  EXPECT_TRUE(work.has_ended());
}

TEST(parallel_work, without_finish_its_exception_is_a_failure_of_the_test) {
  EXPECT_NONFATAL_FAILURE({ parallel_work const work(fail); }, "the server is gone");
}

}  // namespace
