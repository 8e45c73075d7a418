// The write guard on a table and its leaves.
#pragma once

#include "shardway/migrate/onboard.hpp"
#include "shardway/protocol/schema.hpp"

namespace shardway {
inline namespace v0 {
namespace onboarding {

/// Brings the guard of a table to `wanted` where it is weaker on any of its relations; never weakens one that refuses.
result<> raise_guard(session& node, table_state const&, write_guard wanted, onboard_options const&);

}  // namespace onboarding
}  // namespace v0
}  // namespace shardway
