// Sees what changes underneath while tables move: every few seconds, on all nodes. Partitions made by the
// usual jobs are followed; anything else pauses its group by name.
#pragma once

#include "lib/migrate/controller/controller_context.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Thread safety: not safe. Lifetime: the context must outlive it.
class shape_watch {
 public:
  explicit shape_watch(controller_context& context) : context_(context) {}

  /// Reads and follows; `context.drift` says what is left. Does nothing if it ran in the last two seconds, or
  /// if no group is between observing and finalized. Errors: `not_leader`; those of connections.
  result<> watch();

 private:
  result<bool> follow(std::string const& group, group_drift& drift);
  result<> follow_one(onboard::shape_difference const&);
  result<> record_pauses(drift_by_group const& before);

  controller_context& context_;
  steady_time last_{};
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
