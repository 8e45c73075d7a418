// One immutable object that is replaced while others read it, such as the current snapshot of routing.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace shardway {
inline namespace v0 {

/// Holds the current object and gives it to readers. A reader that has the current object already takes no
/// lock and counts no reference.
///
/// Thread safety: shared use is safe; one thread at a time uses a `reader`.
/// Lifetime: outlives its readers.
template <class T>
class published {
 public:
  explicit published(std::shared_ptr<T const> first = {}) : current_(std::move(first)) {}

  /// Makes `next` the current object if `may_follow(current, next)` is true, and returns whether it did. The
  /// old object is freed outside the lock.
  template <class May>
  bool publish(std::shared_ptr<T const> next, May const& may_follow) {
    short_lock const lock{is_taken_};
    if (!may_follow(current_, next)) return false;
    current_.swap(next);
    published_.fetch_add(1, std::memory_order_release);
    return true;
  }

  /// The current object. Cost: a lock held for one reference count. On the request path use a `reader`.
  std::shared_ptr<T const> get() const {
    short_lock const lock{is_taken_};
    return current_;
  }

  /// The copy of the pointer that one thread or session keeps.
  class reader {
   public:
    explicit reader(published const& origin) : origin_(&origin) {}

    /// The current object. Lifetime: until the next call; a copy of the pointer keeps it longer. Cost: one
    /// atomic load, unless a new object was published.
    std::shared_ptr<T const> const& current() {
      auto const seen = origin_->published_.load(std::memory_order_acquire);
      if (seen != seen_) {
        cached_ = origin_->get();
        seen_ = seen;  // read before the pointer: at worst the next call fetches the same object again
      }
      return cached_;
    }

   private:
    published const* origin_;
    std::uint64_t seen_{};
    std::shared_ptr<T const> cached_;
  };

 private:
  // Held for one reference count. With std::mutex every file that includes this would include <mutex>.
  class short_lock {
   public:
    explicit short_lock(std::atomic_flag& is_taken) noexcept : is_taken_(is_taken) {
      while (is_taken_.test_and_set(std::memory_order_acquire))
        is_taken_.wait(true, std::memory_order_relaxed);
    }
    ~short_lock() {
      is_taken_.clear(std::memory_order_release);
      is_taken_.notify_one();
    }
    short_lock(short_lock const&) = delete;
    short_lock& operator=(short_lock const&) = delete;

   private:
    std::atomic_flag& is_taken_;
  };
  mutable std::atomic_flag is_taken_{};
  std::shared_ptr<T const> current_;  ///< under is_taken_
  /// Grows with each publication. A reader that has seen this number has nothing to fetch.
  std::atomic<std::uint64_t> published_{1};
};

}  // namespace v0
}  // namespace shardway
