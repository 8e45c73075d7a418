// A session's own copy of the pointer to the newest routing view.
#pragma once

#include <memory>

#include "lib/client/watch/generation_watch.hpp"

namespace shardway {
inline namespace v0 {

/// Thread safety: one thread at a time. Lifetime: the watch outlives it.
class view_reader {
 public:
  explicit view_reader(generation_watch const& watch) : watch_(watch) {}
  /// The newest view. Lifetime: until the next call; a copy keeps it. Cost: one atomic load, unless there is
  /// a new generation.
  std::shared_ptr<routing_view const> const& current() {
    if (!cached_ || cached_->current.number != watch_.number()) cached_ = watch_.view();
    return cached_;
  }

 private:
  generation_watch const& watch_;
  std::shared_ptr<routing_view const> cached_;
};

}  // namespace v0
}  // namespace shardway
