// The assertion that stays on in release builds. Only for defects of this library; all other errors are a
// `result`.
#pragma once

#include <source_location>

namespace shardway {
inline namespace v0 {

/// Ends the program if the condition is false, and prints `what`. `what` names the invariant ("I3: epochs
/// only grow") and holds no row value.
void ensure(bool condition, char const* what, std::source_location = std::source_location::current());

}  // namespace v0
}  // namespace shardway

#include "shardway/base/impl/ensure.ipp"
