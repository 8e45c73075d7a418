// Listens for new generations as they are published. Polling still decides: a lost notification costs one
// interval and nothing else.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "shardway/base/clock.hpp"
#include "shardway/client/client.hpp"

namespace shardway {
inline namespace v0 {

/// Thread safety: `wait` from one thread; the counts from any.
class generation_listener {
 public:
  explicit generation_listener(client_options const& options) : options_(options) {}

  /// Waits until a notification arrives, the time is over, or `is_ended` returns true (asked every 100
  /// ms). If it cannot listen it returns false at once, and the caller waits by itself.
  bool wait(steady_time until, std::function<bool()> const& is_ended);
  bool is_listening() const noexcept { return is_listening_; }
  std::uint64_t heard() const noexcept { return heard_; }
  void stop() noexcept;

 private:
  bool listen();
  client_options const& options_;
  std::unique_ptr<session> link_;
  steady_time retry_{};
  std::atomic<bool> is_listening_{};
  std::atomic<std::uint64_t> heard_{};
};

}  // namespace v0
}  // namespace shardway
