// Renews the lease in a thread of its own, so that a long step never loses it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "shardway/catalog/lease.hpp"
#include "shardway/migrate/controller/controller.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Thread safety: `token` and `is_lost` from any thread. Lifetime: the destructor releases the lease and
/// joins.
class lease_keeper {
 public:
  /// Waits up to `lease_wait` for another's lease to end, takes it, and raises the token on every node given.
  static result<std::unique_ptr<lease_keeper>> take(controller_options const&, session& source,
                                                    std::vector<session*> const& all);
  ~lease_keeper();

  std::int64_t token() const noexcept { return token_; }
  /// Another controller has the lease.
  bool is_lost() const noexcept { return lost_; }

 private:
  lease_keeper(controller_options const&, std::int64_t token);
  void renew_until_stopped(std::stop_token);

  controller_options const* options_;
  std::int64_t token_;
  std::atomic<bool> lost_{false};
  std::jthread thread_;
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
