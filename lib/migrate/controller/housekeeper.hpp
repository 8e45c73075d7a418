// Work that keeps the catalog small: partitions of the outbox, clients that are gone, old rows of progress.
#pragma once

#include <chrono>

#include "lib/migrate/controller/controller_context.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// Thread safety: not safe. Lifetime: the context must outlive it.
class housekeeper {
 public:
  explicit housekeeper(controller_context& context) : context_(context) {}

  /// Does nothing if it ran in the last five seconds. Errors: `not_leader`; those of connections.
  result<> keep_house();

 private:
  controller_context& context_;
  steady_time last_{};
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
