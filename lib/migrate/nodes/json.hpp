// JSON documents of the engine. Members keep the order in which they are written.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "shardway/base/error.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::nodes {

using json = nlohmann::ordered_json;

/// The document on one line. Bytes that are not UTF-8 become U+FFFD: a text of a server never makes it throw.
inline std::string to_text(json const& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// The error in one line; null for none.
inline json failure_json(std::optional<error> const& failure) {
  return failure ? json(failure->to_string()) : json(nullptr);
}

}  // namespace migrate::nodes
}  // namespace v0
}  // namespace shardway
