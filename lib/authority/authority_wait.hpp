// Waiting for authority to settle after a refusal of the fence.
#pragma once

#include <optional>
#include <stop_token>
#include <vector>

#include "lib/authority/host.hpp"

namespace shardway {
inline namespace v0 {

/// Lives as long as one call. What the fence refused changed nothing, so waiting and trying again is safe.
/// Thread safety: one thread at a time. Lifetime: the host outlives it.
/// Cost of a wait: one look for a generation every 3 ms, shared by all that wait, and one at the fence every
/// 30 ms.
class authority_wait {
 public:
  authority_wait(write_host& host, steady_time deadline, std::stop_token cancel = {})
      : host_(host), deadline_(deadline), cancel_(std::move(cancel)) {}

  /// Returns when it is worth trying again: a newer generation, or the fence found open under another epoch.
  /// Errors: `stall_budget_spent`, `deadline_exceeded`, `cancelled`.
  result<> after(write_target const& refused_at, error const& refusal);
  /// The epoch to name to the fence: the generation's, unless the fence itself has told a later one.
  epoch expected(write_target const&) const noexcept;
  std::chrono::microseconds stalled() const noexcept { return stalled_; }

 private:
  struct seen_epoch {
    std::uint64_t generation{};
    node_index node{};
    slot_id slot{};
    shardway::epoch epoch{};
  };
  enum class fence_news : unsigned char { none, open, abandoned };
  result<fence_news> look(write_target const&);
  result<> abandon(write_target const&);
  error spent(write_target const&, bool by_deadline) const;

  write_host& host_;
  steady_time deadline_;
  std::stop_token cancel_;
  std::optional<steady_time> since_{};
  std::chrono::microseconds stalled_{};
  std::vector<seen_epoch> overrides_{};  ///< one a slot
};

}  // namespace v0
}  // namespace shardway
