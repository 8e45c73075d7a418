// Taking the value of a `result` in a test: an error ends the test and is shown with what the server said.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>

#include "shardway/base/result.hpp"

namespace shardway_test {

[[noreturn]] inline void fail_with(shardway::error const& e, std::source_location where) {
  throw std::runtime_error(std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": " +
                           e.to_string() + " " + e.server_detail());
}

/// The value, or the end of the test.
template <class T>
T value_of(shardway::result<T> answer, std::source_location where = std::source_location::current()) {
  if (!answer) fail_with(answer.error(), where);
  return std::move(answer).value();
}

/// Like `value_of` where the value does not matter.
template <class T>
void require(shardway::result<T> const& answer,
             std::source_location where = std::source_location::current()) {
  if (!answer) fail_with(answer.error(), where);
}

}  // namespace shardway_test
