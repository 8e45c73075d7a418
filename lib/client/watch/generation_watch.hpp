// Holds the newest generation and polls for newer ones: on the source, and on other nodes while the
// source is down (K1).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "lib/client/pools/node_pools.hpp"
#include "lib/client/pools/routing_view.hpp"
#include "lib/client/watch/generation_listener.hpp"

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
  /// The thread uploads what `make` returns, each `report_interval` and at the end, if it has changed.
  /// Preconditions: not yet started.
  void report_with(std::function<std::string()> make) { make_report_ = std::move(make); }

  std::shared_ptr<routing_view const> view() const;
  client_health health() const;
  std::uint64_t number() const noexcept { return number_.load(std::memory_order_acquire); }
  /// Polls now, unless another thread has polled since this was called or a moment before. Returns
  /// whether there is a newer generation than `seen`. Errors: no node answered; the deadline came while
  /// another thread was polling.
  result<bool> refresh(std::uint64_t seen, steady_time deadline);

 private:
  result<> poll(steady_time deadline);
  result<> poll_source(steady_time latest);
  result<> poll_others(steady_time deadline);
  result<> take_from(session&, std::string const& node, steady_time deadline);
  result<> take(generation, std::string const& node);
  void refuse(std::uint64_t number, std::string const& node, error const& why);
  bool wait_for_news();
  void heartbeat();
  void upload_report();
  void work();
  void report_trouble(std::string_view what, error const& why);

  client_options const& options_;
  node_pools& pools_;
  std::string const client_id_;
  mutable std::mutex mutex_;  ///< of view_ and refused_
  client_health refused_{};
  std::shared_ptr<routing_view const> view_;
  std::atomic<std::uint64_t> number_{};
  std::timed_mutex poll_mutex_;  ///< of the members up to listener_: one poll at a time
  std::unique_ptr<session> source_;
  steady_time source_retry_{};
  steady_time polled_{};
  result<> last_{success()};
  steady_time next_heartbeat_{};
  struct unreadable_copy {
    std::uint64_t number{};
    steady_time again{};  ///< when to read it once more
  };
  std::map<std::string, unreadable_copy> unreadable_;  ///< by node: the newest, where it was refused
  bool ask_others_{};                                  ///< another node's copy may be good
  generation_listener listener_;
  std::function<std::string()> make_report_;
  std::string reported_{to_json(call_report{})};  ///< a client without calls has nothing to upload
  steady_time next_report_{};
  bool has_said_ended_{};  ///< that schema shardway is gone
  std::mutex stop_mutex_;
  std::condition_variable stop_changed_;
  bool stopping_{};
  std::thread thread_;
};

}  // namespace v0
}  // namespace shardway
