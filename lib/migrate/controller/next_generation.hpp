// Manifests become a generation: decisions without I/O.
#pragma once

#include <string>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// The generation after applying manifests. Appends one line to `changes` for each change. Its number is that
/// of `current`: whoever publishes it gives it the next one. Errors: `manifest_invalid` listing each change
/// that is not allowed, or for pins whose key has no slot.
result<generation> generation_with(generation const& current, migration_manifest const&,
                                   std::vector<table_state> const& tables, std::vector<std::string>& changes);

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
