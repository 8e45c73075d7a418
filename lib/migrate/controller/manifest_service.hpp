// Applies manifests: on request while a controller runs, or by `apply_manifests` while none does.
#pragma once

#include <string>

#include "lib/migrate/controller/controller_context.hpp"
#include "lib/migrate/controller/request_arguments.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Thread safety: not safe. Lifetime: the context must outlive it.
class manifest_service {
 public:
  explicit manifest_service(controller_context& context) : context_(context) {}

  /// The request's result as a JSON document: `changes` and `generation`. Errors: `manifest_invalid` (the
  /// findings, or a change that is not allowed), `unknown_table`; those of locks and connections.
  result<std::string> apply(apply_arguments const&);

 private:
  result<> publish(generation next);

  controller_context& context_;
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
