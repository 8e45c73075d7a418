// Waiting until authority is stable again after a fence has refused a call.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <vector>

#include "lib/authority/write_host.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {

/// Belongs to one call. A call that a fence refused has changed nothing, so it may wait and try again.
///
/// Thread safety: one thread at a time. Lifetime: the host outlives it.
/// Cost of a wait: one poll for a generation every 3 ms, shared by all calls that wait, and one read of the
/// fence every 30 ms.
class authority_wait {
 public:
  authority_wait(write_host& host, steady_time deadline, std::stop_token cancel = {})
      : host_(host), deadline_(deadline), cancel_(std::move(cancel)) {}

  /// Returns when another try is worth it: a newer generation is there, or the fence is open under another
  /// epoch. Errors: `stall_budget_spent`, `deadline_exceeded`, `cancelled`.
  result<> after(call_target const& target, error const& refusal);
  /// The epoch to name to the fence: the generation's, unless the fence itself has reported a later one.
  epoch expected(call_target const& target) const noexcept;
  /// The time that this call has spent waiting.
  std::chrono::microseconds stalled() const noexcept { return stalled_; }

 private:
  struct seen_epoch {
    std::uint64_t generation{};
    node_index node{};
    slot_id slot{};
    shardway::epoch epoch{};
  };
  enum class fence_state : unsigned char { closed, open, abandoned };
  result<fence_state> read_fence(call_target const& target);
  result<> abandon(call_target const& target);
  error spent(call_target const& target, bool by_deadline) const;

  write_host& host_;
  steady_time deadline_;
  std::stop_token cancel_;
  std::optional<steady_time> since_{};
  std::chrono::microseconds stalled_{};
  std::vector<seen_epoch> overrides_{};  ///< one a slot
};

}  // namespace v0
}  // namespace shardway
