// How long to wait before the next try. Pure: the caller waits.
#pragma once

#include <algorithm>
#include <chrono>

namespace shardway {
inline namespace v0 {
namespace migrate::nodes {

/// Pauses that double from `first` up to `longest`. A value. Preconditions: `first` > 0. A `longest` below
/// `first` bounds the first pause too.
class back_off {
 public:
  back_off(std::chrono::milliseconds first, std::chrono::milliseconds longest) noexcept
      : first_(std::min(first, longest)), longest_(longest), next_(first_) {}

  /// The pause before the next try; the one after it is twice as long.
  std::chrono::milliseconds next() noexcept {
    auto const pause = next_;
    next_ = next_ > longest_ / 2 ? longest_ : next_ * 2;
    return pause;
  }
  /// Something succeeded: the next pause is the first one again.
  void reset() noexcept { next_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds longest_;
  std::chrono::milliseconds next_;
};

}  // namespace migrate::nodes
}  // namespace v0
}  // namespace shardway
