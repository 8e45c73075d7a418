// Waiting that a stop ends early.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::nodes {

/// Waits for `duration`, but looks every few milliseconds whether it has to end. False if `is_stopping`
/// became true: the caller gives up.
template <class Predicate>
bool pause(std::chrono::milliseconds duration, Predicate const& is_stopping) {
  constexpr std::chrono::milliseconds step{10};
  auto const end = system_clock_source().now() + duration;
  while (!is_stopping()) {
    auto const now = system_clock_source().now();
    if (now >= end) return true;
    std::this_thread::sleep_for(std::min<steady_time::duration>(step, end - now));
  }
  return false;
}

}  // namespace migrate::nodes
}  // namespace v0
}  // namespace shardway
