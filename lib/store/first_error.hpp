// The first error among the answers of a flush.
#pragma once

#include <span>

#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// The error of the first statement that failed, or success. Later errors only follow from the first (25P02).
inline result<> first_error(std::span<result<rows> const> answers) {
  for (auto const& answer : answers)
    if (!answer) return answer.error();
  return success();
}

}  // namespace v0
}  // namespace shardway
