// What verification concludes from the rows it saw on each node: decisions without I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shardway/base/ids.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/migrate/verify/verify.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::verify {

/// One row as seen on one node.
struct row_on_node {
  std::optional<shard_id> node{};  ///< nothing: the source
  int slot{-1};                    ///< -1 for a reference table
  std::string hash;
  /// Of the tuple on its node (xmin): a row that was deleted and inserted again is another row.
  std::string version{};
};

/// The rows of one primary key, on all nodes.
struct rows_of_key {
  std::vector<std::string> key;
  std::string digest;
  std::vector<row_on_node> seen;
  friend bool operator==(rows_of_key const& a, rows_of_key const& b);  ///< same nodes with the same tuples
};
using rows_by_key = std::map<std::vector<std::string>, rows_of_key>;

/// The row is on the source and on the shard of its slot, nowhere else, and equal. For a reference table: on
/// every shard.
bool agrees(rows_of_key const&, generation const&, table_kind);

/// How a row that does not agree differs from the copy of the node that has authority for its slot. If shards
/// hold copies of a row that does not belong there, only these are named. Faults of the other copies show
/// once the misplaced copies are gone. Where several nodes claim the key, each for a slot of its own, each of
/// them is named as in conflict and nothing else. For a reference table each shard that differs is named.
std::vector<row_difference> classify(rows_of_key const&, generation const&, group_state const&, table_kind);

/// The node whose copy decides what the named node should hold. Nothing: the source.
std::optional<shard_id> deciding_node(rows_of_key const&, row_difference const&, generation const&,
                                      group_state const&, table_kind);

/// The verdict on a row after all checks: `equal` if the row agreed in one of them; `different` if the last
/// two checks saw the same tuples, which disagree; else `could_not_tell`, because the row changed between all
/// checks. Preconditions: between two checks the streams have passed everything that the first could see.
verdict judge(std::vector<rows_of_key> const& checks, generation const&, table_kind);

}  // namespace migrate::verify
}  // namespace v0
}  // namespace shardway
