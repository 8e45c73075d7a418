// Finalizes a group on request: mirrors and helpers go, and no rollback is possible any more.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/controller/controller_context.hpp"
#include "lib/migrate/controller/request_arguments.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Thread safety: not safe. Lifetime: the context must outlive it.
class finalizer {
 public:
  explicit finalizer(controller_context& context) : context_(context) {}

  /// The request's result as a JSON document: `stage`. May run again after a crash: each step does what is
  /// left. Errors: `gate_red` (nobody approved it), `precondition_failed` (the source still has slots),
  /// `stall_budget_spent` (a mirror does not catch up); those of connections.
  result<std::string> finalize(finalize_arguments const&);

 private:
  result<> end_mirroring(group_state const& state, std::vector<table_state> const& tables);
  result<> drain_mirrors(std::string const& group);
  result<> await_mirror(std::size_t shard, bool was_drained, steady_time deadline);
  void stop_mirrors_of_last_group();
  result<> drop_helpers(std::vector<table_state> const& tables);

  controller_context& context_;
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
