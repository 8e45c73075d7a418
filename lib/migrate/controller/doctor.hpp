// The doctor inside the controller: a red one stops `advance` and every wave (AS25).
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/controller/controller_context.hpp"
#include "shardway/migrate/preflight/preflight.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// What the doctor finds now about every node and the group's tables, with the engine's role. Cost: that of
/// `run_preflight`.
result<std::vector<finding>> examine_group(controller_context const&, std::string const& group);

/// The failing ones of them, none of which the manifests accept. Errors: `precondition_failed` naming each
/// with its fix.
result<> require_healthy(controller_context const&, std::string const& group);

/// "unique_without_shard_key orders_number on source: it does not hold the shard key".
std::string describe(finding const&);

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
