// Switches that turn one guard off, so that a test can prove that this guard is what makes it pass.
#pragma once

#include <string_view>
#ifdef SHARDWAY_TEST_SWITCHES
#include <cstdlib>
#endif

namespace shardway {
inline namespace v0 {

/// Whether a test has switched the guard `name` off. SHARDWAY_GUARD_OFF lists names, separated by commas.
/// Constant false, and so free, in a build without SHARDWAY_TEST_SWITCHES.
///
/// Thread safety: safe, unless the environment changes at the same time.
/// Cost: one read of the environment in a build with test switches.
#ifdef SHARDWAY_TEST_SWITCHES
inline bool guard_off(std::string_view name) noexcept {
  char const* listed = std::getenv("SHARDWAY_GUARD_OFF");
  std::string_view rest = listed ? listed : "";
  while (!rest.empty()) {
    auto const comma = rest.find(',');
    if (rest.substr(0, comma) == name) return true;
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
  }
  return false;
}
#else
constexpr bool guard_off(std::string_view) noexcept { return false; }
#endif

}  // namespace v0
}  // namespace shardway
