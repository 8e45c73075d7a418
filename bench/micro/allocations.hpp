// What this program takes from the heap: operator new is replaced in it.
#pragma once

#include <cstddef>

namespace shardway_bench {

/// Calls of operator new by this thread so far.
std::size_t allocations() noexcept;
/// Bytes that the heap gave to all threads and has not got back, as malloc rounds them.
std::size_t live_bytes() noexcept;

}  // namespace shardway_bench
