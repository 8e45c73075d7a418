// A finalized group leaves the migration: removes what only a rollback needed.
#pragma once

#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

/// Removes the group's tables and its fence from the source's publication. The write guard stays on the
/// source: its copy is stale from here on. Idempotent. Errors: `not_leader`, `sql_error` 55P03 (try again).
result<> leave_publication(onboard_node const& source, migration_manifest const&,
                           std::vector<table_state> const&, onboard_options const&);

/// On a shard: drops the version column, identity index, guarded apply and write guard of each table. Each
/// table has a transaction of its own with `lock_timeout`, which is retried within `retry_budget`.
/// Idempotent.
result<> drop_shard_helpers(onboard_node const& shard, std::vector<table_state> const&,
                            onboard_options const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
