// What became of a COMMIT. There are more than two answers.
#pragma once

#include <optional>
#include <string_view>

#include "shardway/base/error.hpp"

namespace shardway {
inline namespace v0 {

enum class commit_outcome_kind {
  committed,          ///< durable as the server's synchronous_commit says
  committed_locally,  ///< committed, but the wait for a synchronous standby was cancelled (WARNING 01000): a
                      ///< failover may lose it
  rolled_back,        ///< nothing of it remains
  in_doubt,  ///< the connection was lost between COMMIT and its answer: ask `resolve`, never retry on a guess
};

std::string_view name(commit_outcome_kind) noexcept;

struct commit_outcome {
  commit_outcome_kind kind{};
  std::optional<error> why{};  ///< for rolled_back and in_doubt

  bool is_committed() const noexcept {
    return kind == commit_outcome_kind::committed || kind == commit_outcome_kind::committed_locally;
  }
};

}  // namespace v0
}  // namespace shardway
