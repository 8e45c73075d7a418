#include "lib/read/read_race.hpp"

#include <algorithm>
#include <deque>

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::chrono::milliseconds clean_time{250};

steady_time now() { return system_clock_source().now(); }

}  // namespace

struct read_race::leg {
  std::size_t number{};
  lent_session lent;
  std::vector<statement> batch;
  steady_time deadline{};
  std::function<void()> cancel;
  std::mutex mutex{};  ///< of the two below: a cancel is sent only while the statement runs, never into the
                       ///< session's next use
  bool is_over{};
  bool is_cancelled{};
};

struct read_race::shared {
  std::mutex mutex{};
  std::condition_variable changed{};
  std::deque<finish> finished{};
  std::vector<std::shared_ptr<leg>> legs{};
  std::size_t running{};
};

// Stands for a leg that was handed to a thread. If the client closes before the leg has run, the leg ends
// with an error.
struct read_race::ticket {
  ticket(std::shared_ptr<shared> race, std::shared_ptr<leg> one)
      : shared_(std::move(race)), one_(std::move(one)) {}
  ticket(ticket const&) = delete;
  ticket& operator=(ticket const&) = delete;
  ~ticket() {
    if (is_run_) return;
    std::lock_guard const lock{shared_->mutex};
    shared_->finished.push_back(
        {.leg = one_->number, .answers = error{error_code::cancelled, "the client is closed"}, .took = {}});
    --shared_->running;
    shared_->changed.notify_all();
  }
  void run() {
    is_run_ = true;
    read_race::run(*shared_, *one_);
  }

 private:
  std::shared_ptr<shared> shared_;
  std::shared_ptr<leg> one_;
  bool is_run_{};
};

read_race::read_race(read_racer& racer) : racer_(racer), shared_(std::make_shared<shared>()) {}

read_race::~read_race() {
  std::vector<std::shared_ptr<leg>> legs;
  {
    std::lock_guard const lock{shared_->mutex};
    if (shared_->running == 0) return;
    legs = shared_->legs;
  }
  for (auto const& one : legs)
    racer_.cancel([one] {
      std::lock_guard const lock{one->mutex};
      if (one->is_over) return;
      one->is_cancelled = true;
      one->cancel();
    });
}

bool read_race::start(lent_session lent, std::vector<statement> batch, steady_time deadline) {
  auto cancel = lent.link->cancel_handle();
  auto started = std::make_shared<leg>();
  started->lent = std::move(lent);
  started->batch = std::move(batch);
  started->deadline = deadline;
  started->cancel = std::move(cancel);
  {
    std::lock_guard const lock{shared_->mutex};
    started->number = shared_->legs.size();
    shared_->legs.push_back(started);
    ++shared_->running;
  }
  if (racer_.start([leg_of = std::make_shared<ticket>(shared_, started)] { leg_of->run(); })) return true;
  std::lock_guard const lock{shared_->mutex};
  std::erase_if(shared_->finished, [&](finish const& one) {
    return one.leg == started->number;
  });  // the ticket's destructor added it
  shared_->legs.pop_back();
  return false;
}

void read_race::run(shared& race, leg& one) {
  auto const begun = now();
  auto answers = one.lent.link->flush(one.batch, one.deadline);
  finish started{.leg = one.number, .answers = std::move(answers), .took = now() - begun};
  bool cancelled{};
  {
    std::lock_guard const lock{one.mutex};
    one.is_over = true;
    cancelled = one.is_cancelled;
  }
  // A late cancel hits this statement instead of one of the next borrower.
  if (cancelled && !one.lent.link->is_broken())
    (void)one.lent.link->query({.sql = "SELECT 1"}, now() + clean_time);
  one.lent = {};
  std::lock_guard const lock{race.mutex};
  race.finished.push_back(std::move(started));
  --race.running;
  race.changed.notify_all();
}

std::optional<read_race::finish> read_race::next(steady_time until) {
  std::unique_lock lock{shared_->mutex};
  shared_->changed.wait_until(lock, until,
                              [this] { return !shared_->finished.empty() || shared_->running == 0; });
  if (shared_->finished.empty()) return std::nullopt;
  std::optional<finish> first{std::move(shared_->finished.front())};
  shared_->finished.pop_front();
  return first;
}

std::size_t read_race::running() const {
  std::lock_guard const lock{shared_->mutex};
  return shared_->running + shared_->finished.size();
}

}  // namespace v0
}  // namespace shardway
