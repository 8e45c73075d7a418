// Takes a group back to observing on request, from every stage before its first wave, while services go on.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/controller/engine_host.hpp"
#include "lib/migrate/controller/request_arguments.hpp"
#include "lib/migrate/controller/stage_driver.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Thread safety: not safe. Lifetime: context, host and stages must outlive it.
class withdrawal {
 public:
  withdrawal(controller_context& context, engine_host& host, stage_driver& stages)
      : context_(context), host_(host), stages_(stages) {}

  /// The request's result as a JSON document: `stage` and `shard_tables`. First the stage is published, then
  /// everything is removed that onboarding made; may run again after a crash or an error: each step does what
  /// is left. Errors: `precondition_failed` (shards have authority; something depends on the tables of a
  /// shard; a client does not take the new generation in time), `stream_broken` (a shard does not take what
  /// is on its way to it in time); those of locks and connections.
  result<std::string> withdraw(withdraw_arguments const&);

 private:
  result<> check_dependents(std::vector<table_state> const& tables) const;
  result<> publish_observing(group_state const& state, std::vector<table_state> const& tables);
  result<> return_to_observing(group_state const& state);
  result<> await_clients(std::string const& group) const;
  result<> await_streams(std::string const& group) const;
  result<> clean(withdraw_arguments const&, std::vector<table_state> const& tables);
  result<> end_stream_of_last_group();

  controller_context& context_;
  engine_host& host_;
  stage_driver& stages_;
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
