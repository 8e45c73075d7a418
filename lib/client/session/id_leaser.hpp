// The blocks of ids that a process has leased, and the thread that leases more before they are used up.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "shardway/base/clock.hpp"
#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {

/// Thread safety: shared use is safe. Lifetime: `stop` before what the lease function needs goes.
class id_leaser {
 public:
  /// Leases `count` ids of a table and says the first.
  using lease_function = std::function<result<std::int64_t>(std::string const& table, std::uint32_t count)>;
  explicit id_leaser(lease_function lease) : lease_(std::move(lease)) {}
  ~id_leaser() { stop(); }

  /// Errors: `id_source::next`.
  result<std::int64_t> take(std::string const& table, std::uint32_t block, steady_time deadline);
  void stop() noexcept;

 private:
  struct range {
    std::int64_t next{}, end{};
  };
  struct blocks {
    range current{}, spare{};
    std::uint32_t wanted{};  ///< size of the block that is to be leased; 0: none
    std::uint64_t failures{};
    std::optional<error> why{};  ///< of the last failure, if nothing was leased since
    steady_time not_before{};    ///< of the next try that nobody waits for
  };
  void want(blocks&, std::uint32_t block);
  void work();
  std::map<std::string, blocks>::iterator next_wanted();

  lease_function lease_;
  std::mutex mutex_;  ///< of everything below
  std::condition_variable changed_;
  std::map<std::string, blocks> tables_;
  bool stopping_{};
  std::thread worker_;
};

}  // namespace v0
}  // namespace shardway
