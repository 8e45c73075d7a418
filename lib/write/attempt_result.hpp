// How one attempt of a write ended.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lib/authority/call_target.hpp"
#include "lib/protocol/operation.hpp"

namespace shardway {
inline namespace v0 {
/// Why an attempt ended without a COMMIT that is known to have succeeded.
struct attempt_end {
  enum class kind_type : unsigned char {
    refused,  ///< by the fence: nothing was changed; wait, then try again
    again,    ///< 40001, 40P01, or a connection lost before COMMIT: try again, and count it
    failed,   ///< give the error to the caller
  };
  kind_type kind{};
  error why{};
  std::shared_ptr<call_target const>
      target{};  ///< set if a later slot of the call was refused, not its first
};

/// How an error before COMMIT ends the attempt.
attempt_end end_of(error const& why);

/// A commit, or the end of an attempt.
struct attempt_result {
  std::optional<attempt_end> end{};
  commit_outcome_kind outcome{commit_outcome_kind::committed};
  lsn position{};  ///< 0: not known
  bool answer_lost{};
  rows returned{};
  std::optional<operation_record> replayed{};  ///< an earlier call had committed; this attempt wrote nothing
};

/// An attempt that ends the call with this error.
attempt_result failed_attempt(error why);
/// An attempt that the call repeats.
attempt_result repeatable_attempt(error why);

}  // namespace v0
}  // namespace shardway
