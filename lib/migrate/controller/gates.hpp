// The gates of a wave: predicates over the databases, computed anew each time, never read from a checkpoint
// (V2).
#pragma once

#include <vector>

#include "shardway/migrate/controller/controller.hpp"
#include "shardway/migrate/controller/engine.hpp"
#include "shardway/migrate/wave/wave.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// What the gates look at.
struct gate_inputs {
  node_sessions const& nodes;
  generation const& now;
  std::string const& group;
  controller_options const& options;
  engine const& streams;
  std::int64_t token{};
};

/// Every gate, green or red, for a wave in the direction given. Errors: connections.
result<std::vector<gate>> wave_gates(gate_inputs const&, wave_direction);

/// Adds a gate where the group has lookups: each must be complete, for rows that have moved are found by
/// them.
result<> lookup_gate(gate_inputs const&, std::vector<gate>&);

std::string to_json(std::vector<gate> const&);
/// `gate_red` naming each red gate; success when all are green.
result<> require_green(std::vector<gate> const&);

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
