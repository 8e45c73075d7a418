// A table's shape as a node has it.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// A table's shape as the node has it: columns in order, partitioned or not; its primary key must be the
/// manifest's `key`. Errors: `unknown_table`; `precondition_failed` (key or shard key differ from the
/// manifest, with both). Cost: one round trip.
result<table_state> inspect_table(session& node, table_manifest const&);

/// The same for many tables, in the same order; the first error is returned. Cost: one round trip, whatever
/// their number.
result<std::vector<table_state>> inspect_tables(session& node, std::vector<table_manifest> const&);

/// Leaf partitions as "schema.name", sorted; empty for a plain table.
result<std::vector<std::string>> table_leaves(session& node, std::string_view relation);

/// Columns, types, NOT NULL, generated columns and primary key on both sides. Errors: `schema_drift` naming
/// each difference.
result<> compare_schema(session& source, session& shard, table_state const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
