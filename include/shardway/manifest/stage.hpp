// Where a table stands in its onboarding, and which steps are allowed.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace shardway {
inline namespace v0 {

/// The stages of DESIGN: observing -> copying -> replicating -> dual_writing -> sharded -> finalized.
enum class stage : unsigned char { observing, copying, replicating, dual_writing, sharded, finalized };

/// "dual_writing" and so on.
constexpr std::string_view name(stage at) noexcept {
  constexpr std::array<std::string_view, 6> names{"observing",    "copying", "replicating",
                                                  "dual_writing", "sharded", "finalized"};
  return names[static_cast<std::size_t>(at)];
}

/// The stage of that name; nothing if there is none.
constexpr std::optional<stage> stage_from_name(std::string_view text) noexcept {
  for (unsigned char i = 0; i <= static_cast<unsigned char>(stage::finalized); ++i)
    if (name(static_cast<stage>(i)) == text) return static_cast<stage>(i);
  return std::nullopt;
}

/// May a group go from one stage to the other in one step? Forward one stage at a time; back from any stage
/// before finalized: sharded only to dual_writing (rollback), every other one to observing.
constexpr bool may_go(stage from, stage to) noexcept {
  if (from == stage::finalized || from == to) return false;
  if (static_cast<int>(to) == static_cast<int>(from) + 1) return true;
  if (from == stage::sharded) return to == stage::dual_writing;
  return to == stage::observing;
}

}  // namespace v0
}  // namespace shardway
