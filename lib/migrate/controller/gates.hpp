// The gates of a wave. Each is computed from the databases whenever it is asked for, never from a checkpoint
// (V2).
#pragma once

#include <vector>

#include "lib/migrate/nodes/json.hpp"
#include "shardway/migrate/controller/controller.hpp"
#include "shardway/migrate/controller/engine.hpp"
#include "shardway/migrate/preflight/preflight.hpp"
#include "shardway/migrate/wave/wave.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// What gates are computed from. Lifetime: a view, for one call.
struct gate_inputs {
  node_sessions const& sessions;
  generation const& current;
  std::string const& group;
  controller_options const& options;
  engine const& streams;
  std::int64_t token{};
  std::vector<finding> const& findings;  ///< of the doctor, for a wave forward
};

/// Every gate of a wave in this direction, green or red, in the order of the table in `gates.cpp`. A gate
/// that concerns nodes appears once for each. Errors: those of connections. Cost: some queries on each node;
/// up to five seconds for each shard whose mirror does not answer.
result<std::vector<gate>> wave_gates(gate_inputs const&, wave_direction);

nodes::json to_json(std::vector<gate> const&);
/// `gate_red` naming each red gate; success if all are green.
result<> require_green(std::vector<gate> const&);

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
