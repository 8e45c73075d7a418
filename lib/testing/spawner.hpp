// One thread that does all forks. PR_SET_PDEATHSIG fires when the *thread* that forked ends, not only when
// the process ends.
#pragma once

#include <functional>

#include <sys/types.h>

#include "shardway/base/result.hpp"

namespace shardway {
inline namespace v0 {
namespace testing {

/// Runs `work` in a thread that lives as long as the process, and waits for its result. Thread safety: safe.
result<pid_t> in_spawner_thread(std::function<result<pid_t>()> work);

}  // namespace testing
}  // namespace v0
}  // namespace shardway
