// Builds, checks and repairs a lookup on request.
#pragma once

#include <string>

#include "lib/migrate/controller/wave_service.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Thread safety: not safe. Lifetime: context and waves must outlive it.
class lookup_service {
 public:
  lookup_service(controller_context& context, wave_service& waves) : context_(context), waves_(waves) {}

  /// The request's result as a JSON document: the counts of `lookup_report`, and `ready`. A build that ends
  /// complete makes the lookup ready. Errors: `unknown_table`, `invalid_argument` (no such lookup),
  /// `precondition_failed` (before dual_writing, foreign writers are not refused, clients do not keep the
  /// lookup yet); those of `run_lookup_task`.
  result<std::string> serve(lookup_arguments const&);

 private:
  result<> await_keepers(table_state const& table);

  controller_context& context_;
  wave_service& waves_;
};

/// Creates the tables of the lookups of every group whose clients keep them, before the first client knows of
/// the lookup. Errors: `prepare_lookups`.
result<> prepare_known_lookups(node_connections&, generation const& next, grantees const&,
                               onboard::onboard_options const&);

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
