#include "lib/pg/pool.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

struct idle_session {
  std::unique_ptr<session> what;
  steady_time since;    ///< of its last use
  steady_time checked;  ///< its last use or answer
};

// A random pause between half of `longest` and all of it, so that not all clients of a node that comes back
// connect at the same time.
milliseconds jittered(milliseconds longest) {
  std::array<std::uint8_t, 2> random{};
  fill_random(random.data(), random.size());
  auto const share = static_cast<long long>(random[0]) << 8 | random[1];
  return longest / 2 + milliseconds{(longest - longest / 2).count() * share / 0xFFFF};
}

error about(pool_options const& options, error_code code, std::string what, std::string hint = {}) {
  return error{code, "leasing a session of node \"" + options.node.node + "\": " + std::move(what),
               std::move(hint)}
      .at_node(options.node.node);
}

// False if the server or the network has closed the connection. Needs no round trip.
bool is_usable(session& one) { return one.notifications(system_clock_source().now()) && !one.is_broken(); }

}  // namespace

struct session_lease::shared {
  shared(pool_options given, clock_source const& source) : options(std::move(given)), clock(source) {}

  pool_options const options;
  clock_source const& clock;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<idle_session> idle;  // the least recently used session is in front
  std::size_t leased{};
  std::size_t waiting{};
  bool is_draining{};
  unsigned failures{};         // in a row
  steady_time next_attempt{};  // while failures > 0
  std::optional<error> last_failure;

  std::unique_ptr<session> take_idle();
  std::vector<idle_session> take_expired();
  std::optional<idle_session> take_unchecked();
  bool may_open_more();
  result<> allow_attempt();
  void back_off();
  result<std::unique_ptr<session>> open(steady_time deadline);
  result<std::unique_ptr<session>> attempt(steady_time deadline, bool& was_cut_short);
  void record_attempt(result<std::unique_ptr<session>> const& opened, bool was_cut_short);
  void release(std::unique_ptr<session>) noexcept;
};

// The following six functions are called with the mutex held.
std::unique_ptr<session> session_lease::shared::take_idle() {
  if (idle.empty()) return nullptr;
  auto taken = std::move(idle.back().what);
  idle.pop_back();
  ++leased;
  return taken;
}

std::vector<idle_session> session_lease::shared::take_expired() {
  std::vector<idle_session> expired;
  auto const oldest = clock.now() - options.idle_max;
  while (!idle.empty() && idle.front().since < oldest && leased + idle.size() > options.sessions_min) {
    expired.push_back(std::move(idle.front()));
    idle.pop_front();
  }
  return expired;
}

// Counted as leased until it is put back or dropped.
std::optional<idle_session> session_lease::shared::take_unchecked() {
  auto const oldest = clock.now() - options.check_after;
  auto const found =
      std::find_if(idle.begin(), idle.end(), [&](idle_session const& one) { return one.checked < oldest; });
  if (found == idle.end()) return std::nullopt;
  auto taken = std::move(*found);
  idle.erase(found);
  ++leased;
  return taken;
}

bool session_lease::shared::may_open_more() {
  if (is_draining || leased + idle.size() >= options.sessions_min) return false;
  ++leased;
  return true;
}

result<> session_lease::shared::allow_attempt() {
  if (failures == 0) return success();
  auto const now = clock.now();
  if (now < next_attempt) {
    auto const left = std::chrono::ceil<milliseconds>(next_attempt - now).count();
    return about(options, last_failure->code(),
                 "the node is down; no attempt for another " + std::to_string(left) + " ms",
                 last_failure->hint());
  }
  back_off();  // while this one tries, the others still fail at once
  return success();
}

void session_lease::shared::back_off() {
  auto const doubled = options.backoff_min * (1LL << std::min(failures == 0 ? 0U : failures - 1, 20U));
  next_attempt = clock.now() + jittered(std::min<milliseconds>(doubled, options.backoff_max));
}

// Called without the mutex, with the new session counted as leased.
result<std::unique_ptr<session>> session_lease::shared::open(steady_time deadline) {
  bool was_cut_short = false;
  auto opened = attempt(deadline, was_cut_short);
  record_attempt(opened, was_cut_short);
  return opened;
}

result<std::unique_ptr<session>> session_lease::shared::attempt(steady_time deadline,
                                                                bool& was_cut_short) try {
  auto where = options.node;
  if (deadline != steady_time::max()) {
    auto const left = std::chrono::ceil<milliseconds>(deadline - clock.now());
    was_cut_short = left < where.connect_timeout;
    where.connect_timeout = std::max(milliseconds{1}, std::min(left, where.connect_timeout));
  }
  return options.open ? options.open(where) : connect(where);
} catch (...) {
  // The session was counted as leased; it does not exist.
  {
    std::lock_guard const lock{mutex};
    --leased;
  }
  changed.notify_all();
  throw;
}

void session_lease::shared::record_attempt(result<std::unique_ptr<session>> const& opened,
                                           bool was_cut_short) {
  {
    std::lock_guard const lock{mutex};
    if (opened) {
      failures = 0;
    } else {
      --leased;
      // If the caller's deadline cut the attempt short, its failure says nothing about the node.
      if (!was_cut_short || opened.error().code() != error_code::node_unreachable) {
        ++failures;
        last_failure = opened.error();
        back_off();
      }
    }
  }
  changed.notify_all();
}

void session_lease::shared::release(std::unique_ptr<session> one) noexcept {
  bool const is_clean = one && !one->is_broken() && !one->in_transaction();
  auto const now = clock.now();
  {
    std::lock_guard const lock{mutex};
    --leased;
    if (is_clean && !is_draining) idle.push_back({std::move(one), now, now});
  }
  changed.notify_all();
}

session_lease::session_lease() noexcept = default;
session_lease::session_lease(session_lease&&) noexcept = default;
session_lease::session_lease(std::shared_ptr<shared> pool, std::unique_ptr<session> one) noexcept
    : shared_(std::move(pool)), session_(std::move(one)) {}
session_lease& session_lease::operator=(session_lease&& other) noexcept {
  if (this != &other) {
    give_back();
    shared_ = std::move(other.shared_);
    session_ = std::move(other.session_);
  }
  return *this;
}
session_lease::~session_lease() { give_back(); }

void session_lease::give_back() noexcept {
  if (auto const pool = std::exchange(shared_, nullptr)) pool->release(std::move(session_));
}

void session_lease::discard() noexcept {
  session_.reset();
  give_back();
}

result<session_pool> session_pool::make(pool_options options, clock_source const& clock) {
  auto const bad = [&](char const* what) { return about(options, error_code::invalid_argument, what); };
  if (options.sessions_max == 0) return bad("sessions_max must be above 0");
  if (options.sessions_min > options.sessions_max) return bad("sessions_min must not be above sessions_max");
  if (options.check_after <= milliseconds::zero()) return bad("check_after must be above 0");
  if (options.idle_max <= milliseconds::zero()) return bad("idle_max must be above 0");
  if (options.backoff_min <= milliseconds::zero()) return bad("backoff_min must be above 0");
  if (options.backoff_max < options.backoff_min) return bad("backoff_max must not be below backoff_min");
  return session_pool{std::make_shared<session_lease::shared>(std::move(options), clock)};
}

result<session_lease> session_pool::lease(steady_time deadline) {
  auto& pool = *shared_;
  std::unique_lock lock{pool.mutex};
  for (;;) {
    if (pool.is_draining) return about(pool.options, error_code::cancelled, "the pool is draining");
    auto expired = pool.take_expired();
    if (auto one = pool.take_idle()) {
      lock.unlock();
      expired.clear();
      session_lease leased{shared_, std::move(one)};
      if (is_usable(*leased)) return leased;
      leased.discard();
      lock.lock();
      continue;
    }
    if (pool.leased < pool.options.sessions_max) {
      BOOST_OUTCOME_TRYV(pool.allow_attempt());
      ++pool.leased;
      lock.unlock();
      BOOST_OUTCOME_TRY(auto opened, pool.open(deadline));
      return session_lease{shared_, std::move(opened)};
    }
    ++pool.waiting;
    auto const woken = pool.changed.wait_until(lock, deadline);
    --pool.waiting;
    if (woken == std::cv_status::timeout && pool.idle.empty() && pool.leased >= pool.options.sessions_max) {
      return about(pool.options, error_code::deadline_exceeded,
                   "all " + std::to_string(pool.options.sessions_max) + " sessions are in use",
                   "raise sessions_max or hold sessions for shorter");
    }
  }
}

result<> session_pool::drain(steady_time deadline) {
  auto& pool = *shared_;
  std::deque<idle_session> closing;
  std::unique_lock lock{pool.mutex};
  pool.is_draining = true;
  closing.swap(pool.idle);
  pool.changed.notify_all();
  if (pool.changed.wait_until(lock, deadline, [&] { return pool.leased == 0; })) return success();
  return about(pool.options, error_code::deadline_exceeded,
               "draining: " + std::to_string(pool.leased) + " sessions are still in use");
}

result<> session_pool::maintain(steady_time deadline) {
  auto& pool = *shared_;
  std::unique_lock lock{pool.mutex};
  if (pool.is_draining) return about(pool.options, error_code::cancelled, "the pool is draining");
  auto const expired = pool.take_expired();
  while (auto one = pool.take_unchecked()) {
    lock.unlock();
    bool const answers =
        one->what->query({.sql = "SELECT 1"}, deadline).has_value() && !one->what->is_broken();
    one->checked = pool.clock.now();
    lock.lock();
    --pool.leased;
    if (answers && !pool.is_draining) pool.idle.push_front(std::move(*one));
    pool.changed.notify_all();
  }
  while (pool.may_open_more()) {
    if (auto const allowed = pool.allow_attempt(); !allowed) {
      --pool.leased;
      return allowed.error();
    }
    lock.unlock();
    BOOST_OUTCOME_TRY(auto opened, pool.open(deadline));
    pool.release(std::move(opened));
    lock.lock();
  }
  return success();
}

pool_state session_pool::state() const {
  std::lock_guard const lock{shared_->mutex};
  return {shared_->leased, shared_->idle.size(), shared_->waiting, shared_->failures > 0};
}

}  // namespace v0
}  // namespace shardway
