// How many reads may be hedged.
#pragma once

#include <atomic>
#include <cstdint>

namespace shardway {
inline namespace v0 {

/// Allows one hedge for ten reads, and saves up a few. So a slow replica cannot double the load on the
/// others. Thread safety: safe.
class hedge_budget {
 public:
  static constexpr std::int64_t reads_a_hedge = 10;
  static constexpr std::int64_t saved_max = 10;

  void read_begun() noexcept {
    auto held = credit_.load();
    while (held < saved_max * reads_a_hedge && !credit_.compare_exchange_weak(held, held + 1)) {
    }
  }
  /// Takes one if there is one.
  bool take() noexcept {
    auto held = credit_.load();
    while (held >= reads_a_hedge)
      if (credit_.compare_exchange_weak(held, held - reads_a_hedge)) return true;
    return false;
  }

 private:
  std::atomic<std::int64_t> credit_{reads_a_hedge};
};

}  // namespace v0
}  // namespace shardway
