// Maintains a client's pools in a thread of its own, so that a node that does not answer delays nothing
// else.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "lib/client/pools/node_pools.hpp"
#include "lib/client/watch/generation_watch.hpp"

namespace shardway {
inline namespace v0 {

/// Once a second: idle sessions are checked, missing ones opened, pools of nodes that left the generation
/// dropped. Thread safety: `start` and `stop` from one thread. Lifetime: what it was given outlives it.
class pool_maintenance {
 public:
  pool_maintenance(node_pools& pools, generation_watch const& generations)
      : pools_(pools), generations_(generations) {}
  ~pool_maintenance() { stop(); }
  void start();
  void stop() noexcept;

 private:
  void work();
  node_pools& pools_;
  generation_watch const& generations_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_{};
  std::thread thread_;
};

}  // namespace v0
}  // namespace shardway
