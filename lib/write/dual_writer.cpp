#include "lib/write/dual_writer.hpp"

#include <algorithm>
#include <system_error>

#include "shardway/base/stop_point.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds background_budget{1000};

// Short: in a deadlock with the stream the dual write is the one that gives way (W9).
milliseconds lock_timeout_for(milliseconds budget) {
  return std::clamp(budget / 2, milliseconds{5}, milliseconds{100});
}

// A shard that refused one row is alive; one that did not answer may not be, and its breaker counts that
// (W18).
bool is_shard_trouble(error const& e) noexcept {
  return needs_reconnect(e.code()) || e.code() == error_code::node_unreachable ||
         e.code() == error_code::deadline_exceeded || e.code() == error_code::authentication_failed;
}

dual_write_result judged(std::vector<apply_outcome> const& outcomes, std::size_t expected) {
  if (outcomes.size() != expected)
    return {.state = dual_write_state::pending, .reason = "the shard answered for another number of rows"};
  dual_write_result all{.state = dual_write_state::applied, .reason = {}};
  for (auto const outcome : outcomes) {
    if (outcome == apply_outcome::applied) {
      ++all.rows_applied;
    } else if (all.state != dual_write_state::refused) {
      // The stream has passed the version, though perhaps not yet delivered it (W11): never called applied.
      all.state = outcome == apply_outcome::delivered ? dual_write_state::pending : dual_write_state::refused;
      all.reason = name(outcome);
    }
  }
  return all;
}

dual_write_result left_pending(std::string reason) {
  return {.state = dual_write_state::pending, .reason = std::move(reason)};
}

}  // namespace

struct dual_writer::shard_queue {
  shard_id shard{};
  std::mutex mutex;
  std::condition_variable changed;
  shardway::breaker breaker;
  std::deque<dual_write_job> jobs;
  std::size_t queued_rows{};
  bool busy{};
  bool stopping{};
  std::thread worker;
};

dual_writer::dual_writer(session_lender& lender, events* listener, std::size_t queue_rows_max)
    : lender_(lender), listener_(listener), queue_rows_max_(queue_rows_max) {}

dual_writer::~dual_writer() { stop(); }

dual_writer::shard_queue& dual_writer::queue_of(shard_id shard) {
  std::lock_guard const lock{mutex_};
  auto& found = queues_[shard];
  if (!found) {
    found = std::make_unique<shard_queue>();
    found->shard = shard;
    found->stopping = stopping_;
  }
  return *found;
}

dual_write_result dual_writer::count(dual_write_result what, std::size_t rows) noexcept {
  auto const applied = static_cast<std::uint64_t>(what.rows_applied);
  applied_ += applied;
  if (what.state == dual_write_state::pending) pending_ += rows - applied;
  if (what.state == dual_write_state::refused) refused_ += rows - applied;
  return what;
}

void dual_writer::report(shard_queue& queue, bool open) {
  if (!listener_) return;
  auto const shard = lender_.name_of(node_index{queue.shard});
  listener_->on_breaker({shard, open});
}

result<std::vector<apply_outcome>> dual_writer::send(session& link, dual_write_job const& job,
                                                     milliseconds budget, steady_time deadline) {
  std::vector<apply_change> changes;
  for (auto const& one : job.changes) changes.push_back({one.table, one.operation, &one.row, one.slot});
  BOOST_OUTCOME_TRY(auto const answer,
                    link.query(apply_statement(job.id, changes, lock_timeout_for(budget)), deadline));
  return parse_apply(answer);
}

dual_write_result dual_writer::attempt(shard_queue& queue, dual_write_job const& job, milliseconds budget) {
  auto const deadline = system_clock_source().now() + budget;
  auto lent = lender_.lend(node_index{job.shard}, deadline);
  bool const all_in_use = !lent && lent.error().code() == error_code::deadline_exceeded;
  auto const outcomes = lent ? send(*lent.value().link, job, budget, deadline)
                             : result<std::vector<apply_outcome>>{lent.error()};
  bool const trouble = !outcomes && !all_in_use && is_shard_trouble(outcomes.error());
  bool changed_state{};
  {
    std::lock_guard const lock{queue.mutex};
    if (all_in_use)
      queue.breaker.gave_up();
    else
      changed_state = trouble ? queue.breaker.failed(system_clock_source().now()) : queue.breaker.succeeded();
  }
  if (changed_state) report(queue, trouble);
  if (outcomes) return judged(outcomes.value(), job.changes.size());
  auto const& why = outcomes.error();
  return left_pending(std::string(name(why.code())) +
                      (why.sqlstate().empty() ? "" : " (SQLSTATE " + why.sqlstate() + ")"));
}

dual_write_result dual_writer::try_apply(shard_queue& queue, dual_write_job const& job, milliseconds budget) {
  if (stop_point("before_dual_write_apply")) return left_pending("stopped by a test");
  {
    std::lock_guard const lock{queue.mutex};
    if (!queue.breaker.may_try(system_clock_source().now()))
      return left_pending("the shard's breaker is open");
  }
  auto done = attempt(queue, job, budget);
  if (stop_point("after_dual_write_apply")) return left_pending("stopped by a test");
  return done;
}

dual_write_result dual_writer::apply(dual_write_job const& job, milliseconds budget) {
  return count(try_apply(queue_of(job.shard), job, budget), job.changes.size());
}

// The write has committed: a failure here may only leave it pending.
bool dual_writer::start_worker(shard_queue& queue) {
  if (queue.worker.joinable()) return true;
  try {
    queue.worker = std::thread([this, &queue] { work(queue); });
  } catch (std::system_error const&) {
    return false;
  }
  return true;
}

dual_write_result dual_writer::enqueue(dual_write_job job) {
  auto& queue = queue_of(job.shard);
  auto const rows = job.changes.size();
  {
    std::lock_guard const lock{queue.mutex};
    if (queue.stopping || queue.queued_rows + rows > queue_rows_max_)
      return count(left_pending("the queue of the shard is full"), rows);
    queue.jobs.push_back(std::move(job));
    queue.queued_rows += rows;
    if (!start_worker(queue)) {
      queue.jobs.pop_back();
      queue.queued_rows -= rows;
      return count(left_pending("no thread could be started"), rows);
    }
  }
  queue.changed.notify_all();
  return left_pending("queued");
}

void dual_writer::work(shard_queue& queue) {
  std::unique_lock lock{queue.mutex};
  for (;;) {
    queue.changed.wait(lock, [&] { return queue.stopping || !queue.jobs.empty(); });
    if (queue.stopping) return;
    auto const job = std::move(queue.jobs.front());
    queue.jobs.pop_front();
    queue.queued_rows -= job.changes.size();
    queue.busy = true;
    lock.unlock();
    count(try_apply(queue, job, background_budget), job.changes.size());
    lock.lock();
    queue.busy = false;
    queue.changed.notify_all();
  }
}

dual_writer::totals_type dual_writer::totals() const noexcept {
  return {applied_.load(), pending_.load(), refused_.load()};
}

bool dual_writer::drain(steady_time deadline) {
  std::vector<shard_queue*> all;
  {
    std::lock_guard const lock{mutex_};
    for (auto& [shard, one] : queues_) all.push_back(one.get());
  }
  for (auto* one : all) {
    std::unique_lock lock{one->mutex};
    if (!one->changed.wait_until(lock, deadline, [&] { return one->jobs.empty() && !one->busy; }))
      return false;
  }
  return true;
}

void dual_writer::stop() noexcept {
  std::vector<shard_queue*> all;
  {
    std::lock_guard const lock{mutex_};
    stopping_ = true;
    for (auto& [shard, one] : queues_) all.push_back(one.get());
  }
  for (auto* one : all) {
    {
      std::lock_guard const lock{one->mutex};
      one->stopping = true;
    }
    one->changed.notify_all();
    if (one->worker.joinable()) one->worker.join();
  }
}

}  // namespace v0
}  // namespace shardway
