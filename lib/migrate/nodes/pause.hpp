// Waiting that a stop ends early.
#pragma once

#include <algorithm>
#include <chrono>

#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::nodes {

/// Waits for `duration`, but looks every few milliseconds whether it has to end. False if `is_stopping`
/// became true: the caller gives up.
template <class Predicate>
bool pause(std::chrono::milliseconds duration, Predicate const& is_stopping) {
  constexpr std::chrono::milliseconds step{10};
  auto const end = steady_now() + duration;
  while (!is_stopping()) {
    auto const now = steady_now();
    if (now >= end) return true;
    sleep_for(std::min<steady_time::duration>(step, end - now));
  }
  return false;
}

}  // namespace migrate::nodes
}  // namespace v0
}  // namespace shardway
