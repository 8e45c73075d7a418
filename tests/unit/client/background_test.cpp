// Background work: bounded, dropped at the end, and never waited for longer than the grace.
#include "lib/client/reads/background.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace shardway;
using namespace std::chrono_literals;

// Work that goes on until it is let go.
struct gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_open{};
  int inside{};
  void wait() {
    std::unique_lock lock{mutex};
    ++inside;
    changed.notify_all();
    changed.wait(lock, [this] { return is_open; });
    --inside;
    changed.notify_all();
  }
  void open() {
    std::lock_guard const lock{mutex};
    is_open = true;
    changed.notify_all();
  }
  bool has_inside(int count) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, 20s, [&] { return inside == count; });
  }
};

TEST(background, takes_what_it_has_threads_and_queue_for) {
  auto held = std::make_shared<gate>();
  background work{2, 3};
  int taken = 0;
  for (int i = 0; i < 20; ++i) taken += work.post([held] { held->wait(); });
  ASSERT_TRUE(held->has_inside(2));
  for (int i = 0; i < 20; ++i) taken += work.post([held] { held->wait(); });
  EXPECT_EQ(taken, 5) << "two run, three wait";
  held->open();
  work.stop();
}

TEST(background, without_a_queue_takes_only_what_a_thread_is_free_for) {
  auto held = std::make_shared<gate>();
  background work{2, 0};
  EXPECT_TRUE(work.post([held] { held->wait(); }));
  EXPECT_TRUE(work.post([held] { held->wait(); }));
  EXPECT_FALSE(work.post([held] { held->wait(); }));
  ASSERT_TRUE(held->has_inside(2));
  held->open();
  ASSERT_TRUE(held->has_inside(0));
  bool again = false;
  for (int i = 0; i < 2000 && !again; ++i, std::this_thread::sleep_for(1ms)) again = work.post([] {});
  EXPECT_TRUE(again) << "a thread that is done takes the next";
}

TEST(background, stopping_waits_for_what_runs_and_drops_the_rest) {
  std::atomic<int> done{0};
  background work{1, 10};
  auto held = std::make_shared<gate>();
  ASSERT_TRUE(work.post([held, &done] {
    held->wait();
    ++done;
  }));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(work.post([&done] { done += 100; }));
  ASSERT_TRUE(held->has_inside(1));
  std::jthread const later{[held] {
    std::this_thread::sleep_for(50ms);
    held->open();
  }};
  work.stop();
  EXPECT_EQ(done, 1);
  EXPECT_FALSE(work.post([] {}));
}

TEST(background, with_a_grace_it_leaves_what_hangs_behind) {
  auto held = std::make_shared<gate>();
  {
    background work{1, 0};
    ASSERT_TRUE(work.post([held] { held->wait(); }));
    ASSERT_TRUE(held->has_inside(1));
    work.stop_within(20ms);
  }
  held->open();
  EXPECT_TRUE(held->has_inside(0)) << "it went on by itself";
}

}  // namespace
