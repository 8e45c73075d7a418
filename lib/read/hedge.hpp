// Hedged reads: where the chosen replica is late, the same read goes to a second node, and the first answer
// wins.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "lib/store/lent_session.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {

/// How many hedges may be sent: one for ten reads, and a few saved up. So a slow replica can't double the
/// load on the others. Thread safety: safe.
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

/// What a race needs of the world. Thread safety: shared use is safe.
class read_racer {
 public:
  virtual ~read_racer() = default;
  /// Runs work that owns all it uses on a thread of its own. False: none is free.
  virtual bool start(std::function<void()> work) = 0;
  /// The same for sending a cancel, which may take long where a host hears nothing. May drop it: the
  /// statement's deadline ends it then.
  virtual void cancel(std::function<void()> work) = 0;
  virtual void read_begun() noexcept = 0;
  /// May a hedge be sent now? Counts it.
  virtual bool may_hedge() noexcept = 0;
  virtual void hedge_won() noexcept = 0;
};

/// One read on up to a few nodes at once. The race does not outlive its owner's interest: what still runs is
/// cancelled and ends by itself, and its session goes back to its pool clean. Thread safety: one thread at a
/// time.
class read_race {
 public:
  struct finish {
    std::size_t leg{};  ///< in the order of the starts
    result<std::vector<result<rows>>> answers;
    std::chrono::nanoseconds took{};
  };
  explicit read_race(read_racer& racer);
  ~read_race();
  read_race(read_race const&) = delete;
  read_race& operator=(read_race const&) = delete;

  /// False: no thread is free; nothing was sent.
  bool start(lent_session on, std::vector<statement> batch, steady_time deadline);
  /// The next leg to end. Nothing: none by then, or none is running.
  std::optional<finish> next(steady_time until);
  std::size_t running() const;

 private:
  struct leg;
  struct shared;
  struct ticket;
  static void run(shared&, leg&);
  read_racer& racer_;
  std::shared_ptr<shared> shared_;
};

}  // namespace v0
}  // namespace shardway
