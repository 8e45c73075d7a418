// Sessions of one node, reused and bounded.
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
  connect_options node;         ///< `connect_timeout` covers one attempt; a lease's deadline cuts it shorter
  std::size_t sessions_max{8};  ///< > 0: leased and idle together
  std::size_t sessions_min{};   ///< <= sessions_max: `maintain` keeps so many, leased and idle together
  std::chrono::milliseconds idle_max{
      60'000};  ///< > 0: a session unused for longer is closed, but not below `sessions_min`
  std::chrono::milliseconds check_after{
      10'000};  ///< > 0: `maintain` asks a session that was neither used nor asked for so long
  std::chrono::milliseconds backoff_min{
      50};  ///< > 0: after the first failed attempt; doubles with each further one
  std::chrono::milliseconds backoff_max{
      5'000};             ///< >= backoff_min. The real pause is drawn between half of it and all of it
  session_opener open{};  ///< empty: `connect`
};

/// What a pool holds at one moment.
struct pool_state {
  std::size_t leased{};
  std::size_t idle{};
  std::size_t waiting{};  ///< threads that wait for a session
  bool is_down{};         ///< the last attempt to connect failed
};

/// A session on loan; gives it back when destroyed. One that is broken, in a transaction or in a COPY is
/// closed instead of reused. Thread safety: one thread at a time. Lifetime: may outlive its pool.
class session_lease {
 public:
  session_lease() noexcept;
  session_lease(session_lease&&) noexcept;
  session_lease& operator=(session_lease&&) noexcept;
  ~session_lease();

  explicit operator bool() const noexcept { return session_ != nullptr; }
  session& operator*() const noexcept { return *session_; }
  session* operator->() const noexcept { return session_.get(); }
  /// Gives it back early, to be closed: for one whose settings or temporary objects the next user must not
  /// meet.
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
/// A lease asks no session for its health by a round trip: one that is seen to be closed is replaced, one
/// that breaks in use is dropped, and `maintain`, called from time to time, finds those that a silent network
/// has cut. While the node is down, leases fail at once until the next attempt is due, and one lease at a
/// time makes that attempt. Thread safety: shared use is safe.
class session_pool {
 public:
  /// Opens nothing yet. Errors: `invalid_argument`, with the option's name and range.
  static result<session_pool> make(pool_options, clock_source const& = system_clock_source());

  /// A session, idle or new; waits while all are leased. Errors: `deadline_exceeded` (all are leased),
  /// `node_unreachable` (down; the message says for how long leases fail at once), `cancelled` (draining),
  /// and those of `connect`.
  result<session_lease> lease(steady_time deadline);

  /// Refuses further leases, closes idle sessions and waits for the leased ones. Errors: `deadline_exceeded`
  /// (some are still leased; they are closed as they come back). Calling it again waits again.
  result<> drain(steady_time deadline);

  /// Asks sessions that have been idle for `check_after`, drops those that do not answer, closes those past
  /// `idle_max` and opens what is missing to `sessions_min`. Leases go on meanwhile. Errors: why a session
  /// could not be opened; `cancelled` (draining). Cost: a round trip for each session asked, a connection for
  /// each opened.
  result<> maintain(steady_time deadline);

  pool_state state() const;

 private:
  explicit session_pool(std::shared_ptr<session_lease::shared> state) noexcept : shared_(std::move(state)) {}
  std::shared_ptr<session_lease::shared> shared_;
};

}  // namespace v0
}  // namespace shardway
