// Hedged reads: if the chosen replica is late, the same read goes to a second node, and the first answer
// wins.
#pragma once

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

/// What a race needs of the client. Thread safety: shared use is safe.
class read_racer {
 public:
  virtual ~read_racer() = default;
  /// Runs work that owns all it uses on a thread of its own. False: none is free.
  virtual bool start(std::function<void()> work) = 0;
  /// The same for sending a cancel, which may take long if a host does not answer. May drop the cancel:
  /// then the statement's deadline ends it.
  virtual void cancel(std::function<void()> work) = 0;
  virtual void read_begun() noexcept = 0;
  /// May a hedge be sent now? Counts it.
  virtual bool may_hedge() noexcept = 0;
  virtual void hedge_won() noexcept = 0;
};

/// One read on a few nodes at once. When the race is destroyed, statements that still run are cancelled and
/// end by themselves, and their sessions go back to their pools clean. Thread safety: one thread at a
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
  bool start(lent_session lent, std::vector<statement> batch, steady_time deadline);
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
