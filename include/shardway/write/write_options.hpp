// How a write is to be done.
#pragma once

#include <chrono>

namespace shardway {
inline namespace v0 {

enum class isolation_level : unsigned char { read_committed, repeatable_read, serializable };

struct write_options {
  isolation_level isolation{isolation_level::read_committed};
  /// > 0: the whole call, retries and waits for a fence included. Past it the call fails with `deadline_exceeded`, or `in_doubt` if a
  /// COMMIT was on its way. It is longer than the client's `stall_budget`, which ends first.
  std::chrono::milliseconds deadline{30000};
  /// How often a transaction is run again after 40001 or 40P01. 0: never. Refusals of the fence are not counted: `stall_budget` ends them.
  unsigned retries_max{10};
};

}  // namespace v0
}  // namespace shardway
