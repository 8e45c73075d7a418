// What the controller shows of itself, as one document in the catalog.
#pragma once

#include <chrono>

#include "lib/migrate/controller/controller_context.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Thread safety: not safe. Lifetime: the context must outlive it.
class status_writer {
 public:
  explicit status_writer(controller_context const& context) : context_(context) {}

  /// Does nothing if it wrote in the last 250 ms. Errors: `not_leader`; those of connections.
  result<> write(session& catalog);

 private:
  controller_context const& context_;
  steady_time last_{};
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
