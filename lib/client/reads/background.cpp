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

void background::run(std::shared_ptr<shared> const& state) {
  std::unique_lock lock{state->mutex};
  while (!state->stopping) {
    if (state->queue.empty()) {
      state->changed.wait(lock, [&] { return state->stopping || !state->queue.empty(); });
      continue;
    }
    auto work = std::move(state->queue.front());
    state->queue.pop_front();
    ++state->busy;
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    --state->busy;
  }
  --state->alive;
  state->changed.notify_all();
}

bool background::post(std::function<void()> work) {
  std::lock_guard const lock{shared_->mutex};
  auto& state = *shared_;
  if (state.stopping || state.queue.size() >= state.queue_max + state.threads_max - state.busy) return false;
  if (state.queue.size() >= state.alive - state.busy && state.alive < state.threads_max) {
    try {
      threads_.emplace_back([held = shared_] { run(held); });
    } catch (std::system_error const&) {
      return false;
    }
    ++state.alive;
  }
  state.queue.push_back(std::move(work));
  state.changed.notify_one();
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
