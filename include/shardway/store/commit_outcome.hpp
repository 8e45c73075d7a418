// The outcome of a COMMIT. There are more than two.
#pragma once

#include <optional>
#include <string_view>

#include "shardway/base/result.hpp"
#include "shardway/store/rows.hpp"

namespace shardway {
inline namespace v0 {

enum class commit_outcome_kind {
  committed,  ///< durable as the server's synchronous_commit says

  /// Committed, but the wait for a synchronous standby was cancelled (WARNING 01000): a failover may lose it.
  committed_locally,

  rolled_back,  ///< nothing of it remains

  /// The connection was lost between COMMIT and its answer. Ask `resolve`; never retry on a guess.
  in_doubt,
};

std::string_view name(commit_outcome_kind) noexcept;

struct commit_outcome {
  commit_outcome_kind kind{};
  std::optional<error> why{};  ///< for rolled_back and in_doubt

  bool is_committed() const noexcept {
    return kind == commit_outcome_kind::committed || kind == commit_outcome_kind::committed_locally;
  }
};

/// The outcome of a COMMIT that was one statement of a flush, from its own result.
commit_outcome outcome_of_commit(result<rows> const& answer);

/// The outcome of a COMMIT in a flush that broke as a whole: in doubt. `why` is the flush's outer error.
commit_outcome outcome_of_broken_flush(error why);

}  // namespace v0
}  // namespace shardway
