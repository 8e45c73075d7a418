#include "lib/client/reads/background.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>

namespace shardway {
inline namespace v0 {

struct background::shared {
  std::size_t const threads_max;
  std::size_t const queue_max;
  std::mutex mutex{};
  std::condition_variable changed{};
  std::deque<std::function<void()>> queue{};
  std::size_t alive{};
  std::size_t busy{};
  bool stopping{};
};

background::background(std::size_t threads_max, std::size_t queue_max)
    : shared_(new shared{.threads_max = threads_max, .queue_max = queue_max}) {}

background::~background() { stop(); }

void background::run(std::shared_ptr<shared> const& on) {
  std::unique_lock lock{on->mutex};
  while (!on->stopping) {
    if (on->queue.empty()) {
      on->changed.wait(lock, [&] { return on->stopping || !on->queue.empty(); });
      continue;
    }
    auto work = std::move(on->queue.front());
    on->queue.pop_front();
    ++on->busy;
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    --on->busy;
  }
  --on->alive;
  on->changed.notify_all();
}

bool background::post(std::function<void()> work) {
  std::lock_guard const lock{shared_->mutex};
  auto& on = *shared_;
  if (on.stopping || on.queue.size() >= on.queue_max + on.threads_max - on.busy) return false;
  if (on.queue.size() >= on.alive - on.busy && on.alive < on.threads_max) {
    try {
      threads_.emplace_back([held = shared_] { run(held); });
    } catch (std::system_error const&) {
      return false;
    }
    ++on.alive;
  }
  on.queue.push_back(std::move(work));
  on.changed.notify_one();
  return true;
}

void background::end(std::chrono::milliseconds grace) noexcept {
  std::deque<std::function<void()>> dropped;
  std::vector<std::thread> threads;
  {
    std::unique_lock lock{shared_->mutex};
    shared_->stopping = true;
    dropped.swap(shared_->queue);
    threads.swap(threads_);
    shared_->changed.notify_all();
    if (threads.empty()) return;  // none ever ran, or they were left behind before
    auto const over = [this] { return shared_->alive == 0; };
    bool const all_over = grace == std::chrono::milliseconds::max()
                              ? (shared_->changed.wait(lock, over), true)
                              : shared_->changed.wait_for(lock, grace, over);
    if (!all_over)
      for (auto& one : threads) one.detach();
  }
  for (auto& one : threads)
    if (one.joinable()) one.join();
}

}  // namespace v0
}  // namespace shardway
