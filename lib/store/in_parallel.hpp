// The same work for several nodes at once.
#pragma once

#include <future>
#include <optional>
#include <utility>
#include <vector>

#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {

/// Calls `work(i)` for i in [0, count), each in a thread of its own, and waits for all of them. Returns the
/// values in order, or the error of the first call (by position) that failed.
///
/// Preconditions: the calls share nothing that is not safe to share; a session belongs to one call. Cost: one
/// thread per call.
template <class Work>
auto in_parallel(std::size_t count, Work const& work)
    -> result<std::vector<typename decltype(work(std::size_t{}))::value_type>> {
  using answer = decltype(work(std::size_t{}));
  std::vector<std::future<answer>> running;
  for (std::size_t i = 0; i < count; ++i)
    running.push_back(std::async(std::launch::async, [&work, i] { return work(i); }));
  std::vector<typename answer::value_type> values;
  std::optional<error> first;
  for (auto& one : running) {
    auto got = one.get();
    if (got)
      values.push_back(std::move(got).value());
    else if (!first)
      first = got.error();
  }
  if (first) return *first;
  return values;
}

}  // namespace v0
}  // namespace shardway
