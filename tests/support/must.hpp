// For tests inside namespace shardway: the value of a `result`, or the end of the test with what the server
// said.
#pragma once

#include <stdexcept>
#include <utility>

#include "shardway/base/result.hpp"

namespace shardway {

template <class T>
T must(result<T> outcome) {
  if (!outcome)
    throw std::runtime_error(outcome.error().to_string() + " | " + outcome.error().server_detail());
  return std::move(outcome).value();
}
inline void must(result<void> outcome) {
  if (!outcome)
    throw std::runtime_error(outcome.error().to_string() + " | " + outcome.error().server_detail());
}

}  // namespace shardway
