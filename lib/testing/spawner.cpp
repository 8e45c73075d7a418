#include "lib/testing/spawner.hpp"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include <signal.h>
#include <unistd.h>

namespace shardway {
inline namespace v0 {
namespace testing {

namespace {

using job = std::packaged_task<result<pid_t>()>;

class spawner {
 public:
  spawner() {
    std::thread([this] { work(); }).detach();
  }

  std::future<result<pid_t>> submit(std::function<result<pid_t>()> function) {
    job fresh(std::move(function));
    auto answer = fresh.get_future();
    {
      std::scoped_lock const lock(guard_);
      jobs_.push_back(std::move(fresh));
    }
    wake_.notify_one();
    return answer;
  }

 private:
  [[noreturn]] void work() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);  // signals are for the threads of the test
    for (;;) {
      std::unique_lock lock(guard_);
      wake_.wait(lock, [&] { return !jobs_.empty(); });
      auto next = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      next();
    }
  }

  std::mutex guard_;
  std::condition_variable wake_;
  std::deque<job> jobs_;
};

}  // namespace

result<pid_t> in_spawner_thread(std::function<result<pid_t>()> work) {
  static std::mutex guard;
  static spawner* one = nullptr;  // never destroyed: its thread never ends
  static pid_t made_in = 0;
  std::unique_lock lock(guard);
  if (made_in != ::getpid()) {  // a forked test has the object but not the thread
    one = new spawner;
    made_in = ::getpid();
  }
  auto answer = one->submit(std::move(work));
  lock.unlock();
  return answer.get();
}

}  // namespace testing
}  // namespace v0
}  // namespace shardway
