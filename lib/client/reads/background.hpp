// A few threads for work that no caller waits for. They start when first needed. Work that does not fit
// is refused, so the queue never grows without bound.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace shardway {
inline namespace v0 {

/// Thread safety: shared use is safe. Lifetime: `stop` before what the work points to goes.
class background {
 public:
  /// `queue_max` 0: work is taken only if a thread is free for it.
  background(std::size_t threads_max, std::size_t queue_max);
  ~background();
  background(background const&) = delete;
  background& operator=(background const&) = delete;

  /// False: not taken. `work` must not throw.
  bool post(std::function<void()> work);
  /// Drops queued work and waits for running work. With a grace period, work that still runs afterwards
  /// goes on by itself, so it must own all it uses.
  void stop() noexcept { end(std::chrono::milliseconds::max()); }
  void stop_within(std::chrono::milliseconds grace) noexcept { end(grace); }

 private:
  struct shared;
  static void run(std::shared_ptr<shared> const&);
  void end(std::chrono::milliseconds grace) noexcept;
  std::shared_ptr<shared> shared_;
  std::vector<std::thread> threads_;  ///< under the mutex of shared_
};

}  // namespace v0
}  // namespace shardway
