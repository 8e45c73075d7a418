// Work beside a test, on a thread of its own, that never outlives the test or hides its failure.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <utility>

#include <gtest/gtest.h>

namespace shardway_test {

/// Runs `work` on a thread until `finish`. `release` makes the work end, where it does not end by itself. It
/// is called before every wait: a test that ends early by an exception or an ASSERT does not hang.
class parallel_work {
 public:
  explicit parallel_work(
      std::function<void()> work, std::function<void()> release = [] {})
      : release_(std::move(release)), running_(std::async(std::launch::async, std::move(work))) {}
  parallel_work(parallel_work const&) = delete;
  parallel_work& operator=(parallel_work const&) = delete;

  /// Finishes, if nobody did: then an exception of the work is a failure of the test.
  ~parallel_work() {
    if (!running_.valid()) return;
    try {
      finish();
    } catch (std::exception const& e) {
      ADD_FAILURE() << "beside the test: " << e.what();
    }
  }

  /// Whether the work has ended, by itself or by an exception.
  bool has_ended() const {
    return !running_.valid() || running_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  /// Releases the work and waits for its end. Throws what it threw.
  void finish() {
    release_();
    running_.get();
  }

 private:
  std::function<void()> release_;
  std::future<void> running_;
};

}  // namespace shardway_test
