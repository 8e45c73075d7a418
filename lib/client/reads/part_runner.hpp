// Threads for the parts of reads that several nodes answer. They start when first needed; their number is
// bounded, and all sessions of a client share them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace shardway {
inline namespace v0 {

/// Thread safety: shared use is safe.
class part_runner {
 public:
  explicit part_runner(std::size_t threads_max) : threads_max_(threads_max) {}
  ~part_runner() { stop(); }
  part_runner(part_runner const&) = delete;
  part_runner& operator=(part_runner const&) = delete;

  /// Calls work(i) for i in [0, count) and waits for all. The calling thread works too, so a call goes on
  /// even if all threads are busy. Preconditions: `work` does not throw, and is safe to call at once for
  /// different i.
  void run(std::size_t count, std::function<void(std::size_t)> const& work);
  /// Ends the threads when what they do is done; `run` then works in the calling thread alone.
  void stop() noexcept;

 private:
  struct job {
    std::function<void(std::size_t)> const* work{};
    std::size_t count{}, next{}, done{};
  };
  void work();
  bool take(std::unique_lock<std::mutex>& held, std::shared_ptr<job> const& taken);

  std::size_t const threads_max_;
  std::mutex mutex_;  ///< of everything below and of all jobs
  std::condition_variable more_, done_;
  std::deque<std::shared_ptr<job>> jobs_;
  std::vector<std::thread> threads_;
  std::size_t idle_{};
  bool stopping_{};
};

}  // namespace v0
}  // namespace shardway
