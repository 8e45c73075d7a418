// Completes the tables on shards after the copy.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"
#include "lib/migrate/onboard/schema.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// After the copy: secondary indexes (CONCURRENTLY), foreign keys (NOT VALID, then VALIDATE) except dropped
/// ones and those to tables that the shard does not have, user triggers by the manifest's policy. An invalid
/// index that a crash left is rebuilt. Errors: `constraint_violation` naming the foreign key whose validation
/// failed.
result<schema_report> finish_schema(onboard_node const& source, onboard_node const& shard,
                                    std::vector<table_state> const&, onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
