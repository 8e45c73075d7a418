// What a write has to do, decided by the stage of its group. Pure.
#pragma once

#include <chrono>
#include <optional>

#include "lib/authority/call_target.hpp"

namespace shardway {
inline namespace v0 {

enum class capture_level : unsigned char {
  none,    ///< the statement goes unchanged
  check,   ///< framed with the comparison of shard keys, where it can be framed
  strict,  ///< the same, and what can't be framed is refused
  outbox,  ///< framed with comparison, image and outbox rows; what can't be framed is refused
};

struct write_plan {
  bool fenced{};  ///< the fence is read first, in the same transaction
  capture_level capture{capture_level::none};
  std::optional<shard_id> dual_write{};  ///< the shard that gets the guarded apply after the source's commit
  std::chrono::milliseconds budget{0};   ///< how long the call waits for it; 0: not at all (async)

  /// A statement that cannot be captured is refused.
  constexpr bool must_capture() const noexcept {
    return capture == capture_level::strict || capture == capture_level::outbox;
  }
  friend bool operator==(write_plan const&, write_plan const&) = default;
};

/// Preconditions: `authority` and `placed` are the generation's for the slot of the write.
constexpr write_plan plan_write(stage group_stage, table_kind kind, node_index authority, shard_id placed,
                                dual_write_mode mode, std::chrono::milliseconds budget) noexcept {
  if (group_stage == stage::observing) return {};
  if (kind == table_kind::reference) return {.fenced = true};
  if (!authority.is_source() || group_stage == stage::finalized)
    return {.fenced = true, .capture = capture_level::strict};
  if (group_stage == stage::copying || group_stage == stage::replicating)
    return {.fenced = true, .capture = capture_level::check};
  return {.fenced = true,
          .capture = capture_level::outbox,
          .dual_write = placed,
          .budget = mode == dual_write_mode::sync ? budget : std::chrono::milliseconds{0}};
}

/// The plan of a write to this target.
write_plan plan_of(call_target const& target);

}  // namespace v0
}  // namespace shardway
