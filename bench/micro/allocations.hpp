// Counts what this program takes from the heap. It replaces operator new.
#pragma once

#include <cstddef>

namespace shardway_bench {

/// Calls of operator new by this thread so far.
std::size_t allocations() noexcept;

/// Bytes on the heap that are in use, for all threads, as malloc rounds them.
std::size_t live_bytes() noexcept;

}  // namespace shardway_bench
