// Takes groups from stage to stage, as `advance` requests ask: observing, copying, replicating, dual_writing.
#pragma once

#include <map>
#include <string>

#include "lib/migrate/controller/engine_host.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// A request takes many turns: it stays running in the catalog until the group has reached its goal.
///
/// Thread safety: not safe. Lifetime: context and host must outlive it.
class stage_driver {
 public:
  stage_driver(controller_context& context, engine_host& host) : context_(context), host_(host) {}

  /// The group's goal from now on; a request with an older goal fails with `cancelled`. If the group's copy
  /// has failed, it starts again. Errors: `precondition_failed` (the doctor is red), `not_leader`; those of
  /// `engine::start_copy` and connections.
  result<> set_goal(std::int64_t request_id, group_state const& group, stage wanted);

  /// The group has no goal any more; its request fails with `cancelled`. Errors: `not_leader`; those of
  /// connections.
  result<> cancel_goal(std::string const& group, std::string_view why);

  /// One step for each group with a goal. Finishes the requests of groups that have reached theirs and fails
  /// those of groups whose step failed. Errors: `not_leader`; those of connections.
  result<> advance_goals();

 private:
  struct stage_goal {
    std::int64_t request{};
    stage wanted{};
  };

  result<> advance_one_stage(std::string const& group, stage wanted);
  result<> refuse_drift(std::string const& group) const;
  result<> start_copying(std::string const& group);
  result<> finish_copying(std::string const& group);
  result<> start_dual_writing(std::string const& group);
  result<bool> has_caught_up() const;
  result<> prepare_dual_writing(std::string const& group, std::vector<table_state> const& tables);

  controller_context& context_;
  engine_host& host_;
  std::map<std::string, stage_goal> goals_{};  ///< by group
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
