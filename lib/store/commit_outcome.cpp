#include "shardway/store/commit_outcome.hpp"

namespace shardway {
inline namespace v0 {

std::string_view name(commit_outcome_kind kind) noexcept {
  switch (kind) {
    case commit_outcome_kind::committed:
      return "committed";
    case commit_outcome_kind::committed_locally:
      return "committed_locally";
    case commit_outcome_kind::rolled_back:
      return "rolled_back";
    case commit_outcome_kind::in_doubt:
      return "in_doubt";
  }
  return "unknown";
}

commit_outcome outcome_of_commit(result<rows> const& answer) {
  using kind = commit_outcome_kind;
  if (!answer) {
    // If the session ended during its COMMIT, the transaction may have committed. Only an error that the
    // session survives proves that nothing remains.
    return {needs_reconnect(answer.error().code()) ? kind::in_doubt : kind::rolled_back, answer.error()};
  }
  if (answer.value().command() == "COMMIT") {
    return {answer.value().is_sync_wait_cancelled() ? kind::committed_locally : kind::committed,
            std::nullopt};
  }
  return {kind::rolled_back,
          error{error_code::sql_error,
                "the transaction had failed before its COMMIT, so the server rolled it back"}};
}

commit_outcome outcome_of_broken_flush(error why) { return {commit_outcome_kind::in_doubt, std::move(why)}; }

}  // namespace v0
}  // namespace shardway
