// One shape: what differs between the generation, the source and the shards, group by group.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/migrate/nodes/json.hpp"
#include "lib/migrate/onboard/table_shape.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/migrate/wave/wave.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {

/// What was found for one group.
struct group_drift {
  std::vector<onboard::shape_difference> shape{};        ///< of its tables
  std::vector<onboard::shape_difference> publication{};  ///< what its publications lack
  /// By table: the shape's `tree` on each node, by node. A certificate is void once they have changed.
  std::map<std::string, std::map<std::string, std::string>> trees{};

  /// Whether the group is paused: no stage, no wave and no certificate until it is made right.
  bool pauses() const noexcept { return onboard::pauses(shape) || onboard::pauses(publication); }
};

using drift_by_group = std::map<std::string, group_drift, std::less<>>;

/// Reads every node and compares, for the groups given. A group at observing is compared with the source
/// alone. A finalized one has no entry. Errors: those of the connections. Cost: two round trips a node.
result<drift_by_group> read_drift(node_sessions const&, generation const&,
                                  std::vector<std::string> const& groups);
/// Adds to the shapes what made the streams let a group's changes go.
void add_paused_groups(drift_by_group&, std::map<std::string, std::string> const& paused);

/// The names of groups that are beyond observing and not finalized.
std::vector<std::string> moving_groups(generation const&);

/// [{"table": ..., "node": ..., "object": ..., "difference": ..., "way_out": ..., "answer": ...}, ...]
nodes::json to_json(std::vector<onboard::shape_difference> const&);
/// The trees of one table as an object, and whether a certificate's detail was made with the same ones.
nodes::json trees_json(group_drift const&, std::string const& table);
bool has_same_trees(std::string const& certificate_detail, group_drift const&, std::string const& table);

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
