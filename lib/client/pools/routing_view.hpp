// One generation, with the routes that calls need. It is made once for each generation.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shardway/manifest/generation.hpp"
#include "shardway/route/router.hpp"

namespace shardway {
inline namespace v0 {

struct routing_view {
  generation current;
  std::shared_ptr<routing_snapshot const> routes;
  std::vector<table_state const*> tables;  ///< of `current`, in the order of the snapshot's

  /// Preconditions: `found` belongs to the snapshot.
  table_state const* table(table_routes const& found) const noexcept {
    return tables[static_cast<std::size_t>(&found - routes->data().tables.data())];
  }
  node_definition const& node(node_index index) const noexcept {
    return index.is_source() ? current.migration.source : current.migration.shards[index.shard()->value()];
  }
};

/// `user`: who the client connects to the source as. If it is one of the application's roles, it connects to
/// the shards as the same; else as the first of them. Errors: those of `routes_of`.
result<std::shared_ptr<routing_view const>> make_view(generation, std::string const& user);

}  // namespace v0
}  // namespace shardway
