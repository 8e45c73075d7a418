// One generation with what calls ask of it, made once.
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

  node_definition const& node(node_index index) const noexcept {
    return index.is_source() ? current.migration.source : current.migration.shards[index.shard()->value()];
  }
};

/// Errors: those of `routes_of`.
result<std::shared_ptr<routing_view const>> make_view(generation);

}  // namespace v0
}  // namespace shardway
