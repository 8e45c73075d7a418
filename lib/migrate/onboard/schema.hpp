// Fences and empty tables on the shards, before the copy.
#pragma once

#include <string>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// Fence and lock relation of each group: open at epoch 1 on the source, closed at epoch 1 on shards.
/// Existing rows stay as they are.
result<> prepare_groups(onboard_node const& source, std::vector<onboard_node> const& shards,
                        std::vector<std::string> const& groups, std::string const& application_role,
                        onboard_options const&);

/// What was left out on the shard, and why.
struct schema_report {
  std::vector<std::string> created;  ///< tables, "schema.name"
  std::vector<std::string>
      skipped;  ///< views and the like of the same schemas, and constraints that the manifest drops
};

/// Brings the schema of the tables to a shard: what `pg_dump --section=pre-data` writes for their schemas,
/// without tables that are not onboarded; primary keys, unique indexes and, for partitioned tables, all
/// indexes; version column, identity index and guarded apply; the application role's grants. Owners are the
/// same as on the source. Preconditions: owner roles exist on the shard; pg_dump is not older than the
/// source. Errors: `precondition_failed` (pg_dump or psql failed; nothing of the dump was applied),
/// `schema_drift` (a table exists with another shape).
result<schema_report> create_schema_on_shard(onboard_node const& source, onboard_node const& shard,
                                             migration_manifest const&, std::vector<table_state> const&,
                                             onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
