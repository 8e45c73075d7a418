// Body of ensure.hpp.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "shardway/base/ensure.hpp"

namespace shardway {
inline namespace v0 {

inline void ensure(bool condition, char const* what, std::source_location where) {
  if (condition) [[likely]]
    return;
  std::fprintf(stderr, "shardway: broken: %s (%s:%u, %s)\n", what, where.file_name(),
               static_cast<unsigned>(where.line()), where.function_name());
  std::abort();
}

}  // namespace v0
}  // namespace shardway
