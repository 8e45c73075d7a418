// Verifies a group and repairs it on request. Certificates of what was found go into the catalog.
#pragma once

#include <string>

#include "lib/migrate/controller/controller_context.hpp"
#include "lib/migrate/controller/request_arguments.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Each function returns the request's result as a JSON document.
/// Thread safety: not safe. Lifetime: the context must outlive it.
class verification_service {
 public:
  explicit verification_service(controller_context& context) : context_(context) {}

  /// Compares source and shards: `tables`, and `equal`. Where the shapes of the tables differ, nothing is
  /// compared: each verdict is `could_not_tell`, and `shape_differs` names the differences. Errors:
  /// `precondition_failed` (the group has not begun to copy); those of `verify_group`.
  result<std::string> verify(group_arguments const&);
  /// The same, then repairs the rows named: `repairs` as well. Errors: also those of `reconcile_group`.
  result<std::string> reconcile(group_arguments const&);

 private:
  result<std::vector<table_verdict>> find_verdicts(std::string const& group);

  controller_context& context_;
  std::vector<onboard::shape_difference>
      shape_differs_{};  ///< of the newest verification, if it could not tell
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
