// The threads and the budget of hedged reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "lib/client/reads/background.hpp"
#include "lib/read/hedge_budget.hpp"
#include "lib/read/read_race.hpp"
#include "shardway/observe/metrics.hpp"

namespace shardway {
inline namespace v0 {

/// Thread safety: shared use is safe.
class hedging final : public read_racer {
 public:
  explicit hedging(std::shared_ptr<metrics> meter)
      : meter_(std::move(meter)), legs_(threads_max, 0), cancels_(2, 16) {}

  bool start(std::function<void()> work) override { return legs_.post(std::move(work)); }
  void cancel(std::function<void()> work) override { (void)cancels_.post(std::move(work)); }
  void read_begun() noexcept override { budget_.read_begun(); }
  bool may_hedge() noexcept override;
  void hedge_won() noexcept override;

  std::uint64_t sent() const noexcept { return sent_; }
  std::uint64_t won() const noexcept { return won_; }
  /// A leg on a host that does not answer goes on by itself: it owns all it uses.
  void stop() noexcept;

 private:
  static constexpr std::size_t threads_max = 16;  // past it reads are not hedged
  std::shared_ptr<metrics> const meter_;
  hedge_budget budget_;
  std::atomic<std::uint64_t> sent_{}, won_{};
  background legs_;
  background cancels_;
};

}  // namespace v0
}  // namespace shardway
