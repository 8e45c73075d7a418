// A row that no partition takes.
#pragma once

#include <string_view>

#include "shardway/base/error.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::nodes {

/// Whether the server refused a row because its table has no partition for it (AS13). Such an error is a
/// check violation that names no constraint, in every language.
inline bool lacks_partition(error const& failed) {
  return failed.sqlstate() == "23514" && failed.message().find(", constraint ") == std::string_view::npos;
}

}  // namespace migrate::nodes
}  // namespace v0
}  // namespace shardway
