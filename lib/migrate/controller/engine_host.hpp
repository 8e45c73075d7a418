// Starts the engine and its mirrors when the migration needs them.
#pragma once

#include "lib/migrate/controller/controller_context.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Thread safety: not safe. Lifetime: the context must outlive it.
class engine_host {
 public:
  explicit engine_host(controller_context& context) : context_(context) {}

  /// Starts the engine if the forward replication slot exists, that is, if a group has begun to copy. Does
  /// nothing if it runs. Errors: those of `engine::start`.
  result<> ensure_engine();
  /// The same where a group has begun to copy. Errors: `stream_broken` without the replication slot (S2): a
  /// fresh one would lose changes in silence.
  result<> require_engine();
  /// Mirrors run while a group is dual written or sharded. One that has failed is not started again.
  result<> ensure_mirrors();

 private:
  controller_context& context_;
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
