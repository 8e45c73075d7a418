// A pool of sessions to one node.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "shardway/base/clock.hpp"
#include "shardway/base/result.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {

/// How a pool opens a session: `connect`, or a function that decorates what it returns.
using session_opener = std::function<result<std::unique_ptr<session>>(connect_options const&)>;

struct pool_options {
  /// How to connect. `connect_timeout` limits one attempt; a lease's deadline can shorten it.
  connect_options node;

  /// The largest number of sessions, leased and idle together; > 0.
  std::size_t sessions_max{8};

  /// `maintain` keeps at least that many sessions, leased and idle together; <= sessions_max.
  std::size_t sessions_min{};

  /// A session that is unused for longer is closed, as long as `sessions_min` remain; > 0.
  std::chrono::milliseconds idle_max{60'000};

  /// `maintain` checks a session that was neither used nor checked for that long; > 0.
  std::chrono::milliseconds check_after{10'000};

  /// The back-off after the first failed attempt; > 0. It doubles with each further failure.
  std::chrono::milliseconds backoff_min{50};

  /// The largest back-off; >= backoff_min. The real pause is random, between half of the back-off and all of
  /// it.
  std::chrono::milliseconds backoff_max{5'000};

  /// How to open a session. Empty: `connect`.
  session_opener open{};
};

/// The state of a pool at one moment.
struct pool_state {
  std::size_t leased{};
  std::size_t idle{};
  std::size_t waiting{};  ///< threads that wait for a session
  bool is_down{};         ///< the last attempt to connect failed
};

/// A leased session. The destructor gives it back. A session that is broken, in a transaction or in a COPY is
/// closed and not reused.
///
/// Thread safety: one thread at a time. Lifetime: may outlive its pool.
class session_lease {
 public:
  session_lease() noexcept;
  session_lease(session_lease&&) noexcept;
  session_lease& operator=(session_lease&&) noexcept;
  ~session_lease();

  explicit operator bool() const noexcept { return session_ != nullptr; }
  session& operator*() const noexcept { return *session_; }
  session* operator->() const noexcept { return session_.get(); }

  /// Gives the session back early and closes it. For a session with settings or temporary objects that the
  /// next user must not see.
  void discard() noexcept;

 private:
  friend class session_pool;
  struct shared;
  session_lease(std::shared_ptr<shared>, std::unique_ptr<session>) noexcept;
  void give_back() noexcept;
  std::shared_ptr<shared> shared_;
  std::unique_ptr<session> session_;
};

/// The pool of one node.
///
/// A lease does not check a session with a round trip. It replaces a session whose connection was closed, and
/// a session that breaks in use is dropped. Call `maintain` from time to time: it finds sessions that the
/// network has cut silently. While the node is down, leases fail at once until the next attempt is due; one
/// lease at a time makes that attempt.
///
/// Thread safety: shared use is safe.
class session_pool {
 public:
  /// Opens nothing yet. Errors: `invalid_argument`, with the option's name and range.
  static result<session_pool> make(pool_options, clock_source const& = system_clock_source());

  /// Leases an idle or a new session. Waits while all are leased. Errors: `deadline_exceeded` (all are
  /// leased), `node_unreachable` (the node is down; the message says for how long leases fail at once),
  /// `cancelled` (the pool is draining), and those of `connect`.
  result<session_lease> lease(steady_time deadline);

  /// Refuses further leases, closes idle sessions and waits for the leased ones. A second call waits again.
  /// Errors: `deadline_exceeded` (some are still leased; they are closed when they come back).
  result<> drain(steady_time deadline);

  /// Checks sessions that have been idle for `check_after` and drops those that do not answer. Closes
  /// sessions that are idle for longer than `idle_max`, and opens sessions up to `sessions_min`. Leases go on
  /// meanwhile.
  ///
  /// Errors: why a session could not be opened; `cancelled` (the pool is draining). Cost: one round trip for
  /// each session checked, one connection for each session opened.
  result<> maintain(steady_time deadline);

  pool_state state() const;

 private:
  explicit session_pool(std::shared_ptr<session_lease::shared> state) noexcept : shared_(std::move(state)) {}
  std::shared_ptr<session_lease::shared> shared_;
};

}  // namespace v0
}  // namespace shardway
