// The controller's connections: one session a node, made again when broken.
#pragma once

#include <memory>
#include <vector>

#include "lib/migrate/onboard/options.hpp"
#include "shardway/manifest/manifest.hpp"
#include "shardway/migrate/controller/controller.hpp"
#include "shardway/migrate/wave/wave.hpp"
#include "shardway/pg/connect.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// How to reach a node with a role. A conninfo of a manifest names no user.
connect_options options_for(node_definition const&, std::string const& role, controller_options const&);

/// The engine's nodes, each with the role it uses there.
engine_nodes engine_nodes_for(controller_options const&);

/// Thread safety: not safe. Lifetime: sessions handed out live until the next `refresh`.
class node_connections {
 public:
  explicit node_connections(controller_options const& options) : options_(&options) {}

  /// Connects what is not connected or broken. Errors: those of `connect`, naming the node.
  result<> refresh();

  session& source() { return *source_; }
  node_sessions sessions() const;
  onboard::onboard_node source_node() const;
  std::vector<onboard::onboard_node> shard_nodes() const;
  std::vector<onboard::onboard_node> all_nodes() const;

 private:
  controller_options const* options_;
  std::unique_ptr<session> source_;
  std::vector<std::unique_ptr<session>> shards_;
};

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
