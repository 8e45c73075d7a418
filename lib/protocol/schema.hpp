// The SQL that creates, upgrades and removes shardway's objects. Text only: `catalog` runs it, one
// transaction per function.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/grantees.hpp"
#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {

/// Version of the schema that `node_schema_sql` creates. Older ones are upgraded in place, newer ones
/// refused.
inline constexpr int schema_version = 1;

/// Tables and functions of schema `shardway` for a node. Idempotent: every statement says IF NOT EXISTS or OR
/// REPLACE.
std::string node_schema_sql(node_role, std::string_view node_name, migration_manifest const&);

/// Upgrades a schema from an older version to the next: `upgrade_sql(1)` goes from 1 to 2. Empty when there
/// is nothing to do.
std::string upgrade_sql(int from_version);

/// Fence and lock relation of a group, with one closed (shard) or open (source) row for all slots at `first`.
/// Leaves existing rows alone.
std::string group_sql(node_role, std::string_view group, epoch first, grantees const&);

/// The write guard of one table: statement triggers for INSERT, UPDATE, DELETE and TRUNCATE on the table and
/// on each leaf. `recording` samples foreign writers, `refusing` raises SW003. Takes SHARE ROW EXCLUSIVE on
/// each table: run it with a short lock_timeout.
enum class write_guard : unsigned char { absent, recording, refusing };
/// A session of the library passes only where it has read the fence of this group.
std::string write_guard_sql(write_guard, std::string_view table, std::string_view group,
                            std::vector<std::string> const& leaves);

/// On the source, for a table whose shard key is not part of its primary key: a row trigger that writes the
/// old place of a row whose shard key changes to the outbox (operation k), so that the stream can delete it
/// from its old shard.
std::string shard_key_trigger_sql(table_state const&, bool present);

/// For partitions that store rows: a trigger that writes a marker for each TRUNCATE of one of them, which the
/// server does not publish. The stream of the node reads it (`leaf_truncate_of`). Not present: drops it.
std::string leaf_truncate_sql(std::vector<std::string> const& leaves, bool present);

/// On a shard: the version column, the identity index over primary key and shard key, and the guarded apply
/// function of a table.
std::string shard_table_sql(table_state const&, grantees const&);
/// Removes them again (finalizing).
std::string drop_shard_table_sql(table_state const&);

/// Creates outbox partitions for the hours from `now` up to `hours_ahead`, unattached first, and drops those
/// older than `keep_hours`. One SQL function call; run it with a short lock_timeout and ignore failure: a
/// DEFAULT partition catches what is not covered (W26).
std::string maintain_outbox_sql(int hours_ahead, int keep_hours);

/// The table that remembers how sequences stepped before their ids were interleaved. Part of the source's
/// schema; a catalog of an older release gets it when it is first needed.
std::string sequence_increment_sql();

/// Removes everything that shardway installed on a node: triggers on user tables, publications, version
/// columns, functions, the schema. Sequences get their increments back. Each of `stale_tables`
/// ("schema.name") and its partitions keep a trigger that refuses writes, in schema `shardway_stale`, which
/// belongs to the tables' owner. Replication slots are dropped separately (they need their own connection).
/// Idempotent. Also works on a partial state that a crash left.
std::string uninstall_sql(node_role, std::string_view migration,
                          std::vector<std::string> const& stale_tables = {});

}  // namespace v0
}  // namespace shardway
