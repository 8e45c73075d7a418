// What may be done with a group at its stage. Decisions without I/O.
#pragma once

#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Errors: `precondition_failed` before the group's last stage ahead of a wave. While it is observed, the
/// guard would refuse the library's own clients, which read no fence then.
result<> check_may_guard(group_state const&, std::vector<table_state> const& tables);

/// Errors: `precondition_failed` while a shard has authority: a foreign write to the source's copy would be
/// lost.
result<> check_may_unguard(group_state const&);

/// Whether a shard has authority for a slot of the group.
bool has_moved_slots(group_state const&) noexcept;
/// The epoch at which a group begins to copy, also one that was withdrawn after waves: epochs only grow.
epoch first_epoch_of(group_state const&) noexcept;

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
