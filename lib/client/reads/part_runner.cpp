#include "lib/client/reads/part_runner.hpp"

#include <algorithm>
#include <system_error>

namespace shardway {
inline namespace v0 {

// Runs one piece of the job, without the mutex. False: no piece is left to begin.
bool part_runner::take(std::unique_lock<std::mutex>& held, std::shared_ptr<job> const& taken) {
  if (taken->next >= taken->count) return false;
  auto const index = taken->next++;
  held.unlock();
  (*taken->work)(index);
  held.lock();
  if (++taken->done == taken->count) done_.notify_all();
  return true;
}

void part_runner::run(std::size_t count, std::function<void(std::size_t)> const& work) {
  auto const mine = std::make_shared<job>(job{&work, count});
  std::unique_lock held{mutex_};
  if (count > 1 && !stopping_) {
    jobs_.push_back(mine);
    try {
      for (auto wanted = count - 1; idle_ < wanted && threads_.size() < threads_max_; --wanted)
        threads_.emplace_back([this] { this->work(); });
    } catch (std::system_error const&) {
      // No further thread could start: the existing ones and this one do the work.
    }
    more_.notify_all();
  }
  while (take(held, mine)) {
  }
  done_.wait(held, [&] { return mine->done == count; });
  std::erase(jobs_, mine);
}

void part_runner::work() {
  std::unique_lock held{mutex_};
  for (;;) {
    ++idle_;
    more_.wait(held, [this] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    auto const first = jobs_.front();
    if (!take(held, first)) std::erase(jobs_, first);
  }
}

void part_runner::stop() noexcept {
  std::vector<std::thread> ending;
  {
    std::lock_guard const held{mutex_};
    stopping_ = true;
    ending.swap(threads_);
  }
  more_.notify_all();
  for (auto& one : ending) one.join();
}

}  // namespace v0
}  // namespace shardway
