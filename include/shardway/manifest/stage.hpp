// Where a table stands in its onboarding, and which steps are allowed.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace shardway {
inline namespace v0 {

/// The stages in order: observing -> copying -> replicating -> dual_writing -> sharded -> finalized.
enum class stage : unsigned char { observing, copying, replicating, dual_writing, sharded, finalized };

/// "dual_writing" and so on.
constexpr std::string_view name(stage which) noexcept {
  constexpr std::array<std::string_view, 6> names{"observing",    "copying", "replicating",
                                                  "dual_writing", "sharded", "finalized"};
  return names[static_cast<std::size_t>(which)];
}

/// The stage of that name; nothing if there is none.
constexpr std::optional<stage> stage_from_name(std::string_view text) noexcept {
  for (unsigned char i = 0; i <= static_cast<unsigned char>(stage::finalized); ++i)
    if (name(static_cast<stage>(i)) == text) return static_cast<stage>(i);
  return std::nullopt;
}

/// Whether a group may go from one stage to the other in one step. It goes forward one stage at a time. It
/// goes back from any stage before finalized: from sharded to dual_writing only (rollback), from every other
/// stage to observing.
constexpr bool may_go(stage current, stage next) noexcept {
  if (current == stage::finalized || current == next) return false;
  if (static_cast<int>(next) == static_cast<int>(current) + 1) return true;
  if (current == stage::sharded) return next == stage::dual_writing;
  return next == stage::observing;
}

}  // namespace v0
}  // namespace shardway
