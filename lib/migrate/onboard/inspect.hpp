// A table as the generation holds it. Its whole shape: table_shape.hpp.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// A table as the node has it: columns in order, partitioned or not; its primary key must be the
/// manifest's `key`. Errors: `unknown_table`; `precondition_failed` (key or shard key differ from the
/// manifest, with both). Cost: two round trips.
result<table_state> inspect_table(session& node, table_manifest const&);

/// The same for many tables, in their order. Errors: as above, of the first table that has one. Cost: one
/// round trip for all.
result<std::vector<table_state>> inspect_tables(session& node, std::vector<table_manifest> const&);

/// Leaf partitions as "schema.name", sorted; empty for a plain table.
result<std::vector<std::string>> table_leaves(session& node, std::string_view relation);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
