// What the services of one controller share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/migrate/controller/lease_keeper.hpp"
#include "lib/migrate/controller/node_connections.hpp"
#include "lib/migrate/controller/schema_drift.hpp"
#include "shardway/migrate/controller/controller.hpp"
#include "shardway/migrate/controller/engine.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// The migration, the connections, the lease, the generation in force and the engine.
///
/// Thread safety: not safe. One thread runs the controller; the lease has a thread and a connection of its
/// own. Lifetime: must not move, for its members and every service point into it.
struct controller_context {
  explicit controller_context(controller_options given) : options(std::move(given)), nodes(options) {}
  controller_context(controller_context const&) = delete;
  controller_context& operator=(controller_context const&) = delete;

  controller_options const options;
  node_connections nodes;
  std::unique_ptr<lease_keeper> lease{};
  std::shared_ptr<generation const> current{};  ///< the newest published generation
  std::unique_ptr<engine> streams{};            ///< null until a group has begun to copy
  drift_by_group drift{};                       ///< as the shape watch saw it last

  std::int64_t token() const { return lease->token(); }
  onboard::onboard_options onboarding() const;
  std::vector<table_state> tables_of(std::string const& group) const;
  /// Errors: `invalid_argument` (no such group).
  result<group_state> group(std::string const& name) const;

  /// From now on the controller and its engine work by a generation that is published already.
  void adopt(generation published);
  /// Publishes a changed generation on every node and adopts it. Errors: `not_leader`; those of connections.
  result<> publish(generation next);
  /// Publishes the generation with the group at this stage, and audits it. Errors: as `publish`.
  result<> set_stage(std::string const& group, stage reached);
};

/// The error of a request that needs the engine while the group has not begun to copy.
error no_stream_error(std::string const& group);

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
