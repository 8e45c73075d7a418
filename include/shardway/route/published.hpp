// One immutable object that is replaced while others read it: the current snapshot of routing, or whatever is
// made from it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace shardway {
inline namespace v0 {

/// Holds the current object and hands it to readers; a reader that has seen the current one takes no lock and
/// counts no reference. Thread safety: shared use is safe; a `reader` is one thread's at a time. Lifetime:
/// outlives its readers.
template <class T>
class published {
 public:
  explicit published(std::shared_ptr<T const> first = {}) : current_(std::move(first)) {}

  /// Makes `next` the current one if `may_follow(current, next)` says so; tells whether it did. The old one
  /// is freed outside the lock.
  template <class May>
  bool publish(std::shared_ptr<T const> next, May const& may_follow) {
    short_lock const lock{is_taken_};
    if (!may_follow(current_, next)) return false;
    current_.swap(next);
    published_.fetch_add(1, std::memory_order_release);
    return true;
  }
  /// Cost: a mutex held for one reference count; on the request path use a `reader`.
  std::shared_ptr<T const> get() const {
    short_lock const lock{is_taken_};
    return current_;
  }

  /// A thread's or session's own copy of the pointer.
  class reader {
   public:
    explicit reader(published const& from) : from_(&from) {}
    /// The current object. Lifetime: until the next call; a copy of the pointer keeps it.
    /// Cost: one atomic load, unless a new one was published.
    std::shared_ptr<T const> const& current() {
      auto const seen = from_->published_.load(std::memory_order_acquire);
      if (seen != seen_) {
        cached_ = from_->get();
        seen_ = seen;  // read before the pointer: at worst the next call fetches the same one again
      }
      return cached_;
    }

   private:
    published const* from_;
    std::uint64_t seen_{};
    std::shared_ptr<T const> cached_;
  };

 private:
  // Held for one reference count; std::mutex would cost every includer <mutex>.
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
  std::atomic<std::uint64_t> published_{
      1};  ///< grows with each publication; a reader that saw it has nothing to fetch
};

}  // namespace v0
}  // namespace shardway
