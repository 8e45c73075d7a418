// Waves and rollbacks on request: gates, plan, protocol, and what a wave that broke off leaves behind.
#pragma once

#include <string>

#include "lib/migrate/controller/controller_context.hpp"
#include "lib/migrate/controller/request_arguments.hpp"
#include "shardway/migrate/wave/wave.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Every function that answers a request returns its result as a JSON document.
/// Thread safety: not safe. Lifetime: the context must outlive it.
class wave_service {
 public:
  explicit wave_service(controller_context& context) : context_(context) {}

  /// Evaluates every gate of a wave: `green`, and `gates`. Errors: `precondition_failed` (the group has not
  /// begun to copy); those of connections.
  result<std::string> gates(group_arguments const&) const;
  /// The wave's report. Errors: `gate_red` (a gate, or nobody approved it), `wave_aborted` and others with
  /// which the wave was undone, those of `plan_forward` and `run_wave`.
  result<std::string> run_forward(wave_arguments const&);
  /// The same for the way back.
  result<std::string> run_back(rollback_arguments const&);

  /// Finishes or undoes every wave without an end, before anything else changes fences.
  result<> end_waves();
  /// The same if a wave of this controller broke off; else it does nothing.
  result<> end_broken_wave();

 private:
  result<> prepare(std::string const& group, std::string const& approved_by, wave_direction direction);
  result<> pass_gates(std::string const& group, wave_direction direction) const;
  result<std::string> run(wave_plan const& plan);

  controller_context& context_;
  bool has_unended_wave_{};
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
