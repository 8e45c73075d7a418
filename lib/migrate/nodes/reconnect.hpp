// Which failures the engine's threads cure by connecting again.
#pragma once

#include <string>
#include <string_view>

#include "shardway/base/error.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::nodes {

/// Whether the connection is gone or was given up. That includes a COMMIT in doubt: positions are read again
/// before anything is repeated.
inline bool may_reconnect(error const& failed) {
  return failed.code() == error_code::node_unreachable || failed.code() == error_code::connection_lost ||
         failed.code() == error_code::deadline_exceeded || failed.code() == error_code::in_doubt;
}

/// What a step returns when a stop point of kind `error` ends it.
inline error stopped_by_test(std::string_view where) {
  return error{error_code::connection_lost, "stopped by a test at " + std::string(where)};
}

}  // namespace migrate::nodes
}  // namespace v0
}  // namespace shardway
