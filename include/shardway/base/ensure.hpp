// The assertion that stays on in release. For defects of ours only: everything else is a `result`.
#pragma once

#include <source_location>

namespace shardway {
inline namespace v0 {

/// Ends the program with `what` (which names the invariant: "I3: epochs only grow") if the condition is
/// false. Holds no row value.
void ensure(bool condition, char const* what, std::source_location = std::source_location::current());

}  // namespace v0
}  // namespace shardway

#include "shardway/base/impl/ensure.ipp"
