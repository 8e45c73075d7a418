// Holds the newest generation and looks for newer ones: at the source first, at any other node while the source is down (K1).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "node_pools.hpp"
#include "routing_view.hpp"

namespace shardway {
inline namespace v0 {

/// Thread safety: shared use is safe.
class generation_watch {
 public:
  generation_watch(client_options const& options, node_pools& pools);
  ~generation_watch();

  /// Reads the first generation and starts the thread. Errors: `client::open`.
  result<> start();
  void stop() noexcept;

  std::shared_ptr<routing_view const> view() const;
  std::uint64_t number() const noexcept { return number_.load(std::memory_order_acquire); }
  /// Looks now, unless somebody has looked since this was called or within the last moments. Whether there is a newer one than `seen`.
  /// Errors: no node answered; the deadline came while somebody else was looking.
  result<bool> refresh(std::uint64_t seen, steady_time deadline);

 private:
  result<> poll(steady_time deadline);
  result<> poll_source(steady_time latest);
  result<> poll_others(steady_time deadline);
  result<> take_from(session&, std::string const& node, steady_time deadline);
  result<> take(generation, std::string const& node);
  void heartbeat();
  void work();

  client_options const& options_;
  node_pools& pools_;
  std::string const client_id_;
  mutable std::mutex mutex_;                       ///< of view_
  std::shared_ptr<routing_view const> view_;
  std::atomic<std::uint64_t> number_{};
  std::timed_mutex poll_mutex_;                    ///< of the four below: one look at a time
  std::unique_ptr<session> source_;
  steady_time source_retry_{};
  steady_time polled_{};
  result<> last_{success()};
  steady_time next_heartbeat_{};
  std::mutex stop_mutex_;
  std::condition_variable stop_changed_;
  bool stopping_{};
  std::thread thread_;
};

}  // namespace v0
}  // namespace shardway
