// What the engine makes right by itself while tables move: partitions made by the usual jobs, and our own
// objects on them.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"
#include "lib/migrate/onboard/table_shape.hpp"
#include "lib/protocol/schema.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// Our trigger for TRUNCATE on each partition of the tables that stores rows. Idempotent. Errors: as
/// `run_ddl`.
result<> raise_leaf_truncates(session& node, std::vector<table_state> const&, onboard_options const&);

/// Makes one difference right on its node. A new partition gets what the shard adds to every table in the
/// same transaction. Preconditions: its answer is `follow`; the table is one of a node with that role.
/// Errors: `deadline_exceeded` naming who holds the lock; `sql_error`, such as rows of the partition in the
/// DEFAULT one.
result<> follow_difference(onboard_node const& node, node_role role, table_state const& table,
                           std::string const& application_role, shape_difference const&,
                           onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
