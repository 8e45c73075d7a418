// Onboarding: what has to be in the databases before and after the copy. Each step may be repeated: it does what is not there yet.
//
// Keeps I12: on the source only schema `shardway`, publications, replication slots, triggers and the increment of sequences change; no row does.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/lsn.hpp"
#include "shardway/base/result.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

struct onboard_options {
  std::int64_t token{};                             ///< of the controller's lease: each transaction checks it on its node
  std::chrono::milliseconds lock_timeout{200};      ///< > 0: one try for a table's lock. Short: a queued lock blocks those behind it.
  std::chrono::milliseconds retry_budget{30'000};   ///< >= lock_timeout: all tries for one table
  std::chrono::milliseconds drain_timeout{60'000};  ///< > 0: how long old transactions are waited for (CP3), and the making of a replication slot
  std::uint32_t id_margin{10'000};                  ///< ids left free above the highest one when sequences are interleaved
  std::string client_programs{};                    ///< folder of pg_dump and psql; empty: found through PATH
  std::vector<std::string> client_environment{};    ///< "NAME=value" added to their environment, such as PGPASSFILE
};

/// A node of the migration. Lifetime: the session must outlive the call. Preconditions of every call: no transaction is open on it.
struct onboard_node {
  session* node{};
  std::string name;      ///< its name in the migration
  std::string conninfo;  ///< for pg_dump and psql; without a password
};

/// A table's shape as the node has it: columns in order, partitioned or not; its primary key must be the manifest's `key`.
/// Errors: `unknown_table`; `precondition_failed` (key or shard key differ from the manifest, with both). Cost: two round trips.
result<table_state> inspect_table(session& node, table_manifest const&);

/// Leaf partitions as "schema.name", sorted; empty for a plain table.
result<std::vector<std::string>> table_leaves(session& node, std::string_view relation);

/// Fence and lock relation of each group: open at epoch 1 on the source, closed at epoch 1 on shards. Rows that exist stay as they are.
result<> prepare_groups(onboard_node const& source, std::vector<onboard_node> const& shards, std::vector<std::string> const& groups,
                        std::string const& application_role, onboard_options const&);

/// What was left out on the shard, and why.
struct schema_report {
  std::vector<std::string> created;  ///< tables, "schema.name"
  std::vector<std::string> skipped;  ///< views and the like of the same schemas, and constraints that the manifest drops
};

/// Brings the schema of the tables to a shard: what `pg_dump --section=pre-data` says of their schemas, tables that are not onboarded left out;
/// primary keys, unique indexes and, for partitioned tables, all indexes; version column, identity index and guarded apply; the application
/// role's grants. Owners stay what they are on the source.
/// Preconditions: owner roles exist on the shard; pg_dump is not older than the source.
/// Errors: `precondition_failed` (pg_dump or psql failed; nothing of the dump was applied), `schema_drift` (a table exists with another shape).
result<schema_report> create_schema_on_shard(onboard_node const& source, onboard_node const& shard, migration_manifest const&,
                                             std::vector<table_state> const&, onboard_options const&);

struct join_report {
  std::vector<std::string> added;         ///< tables that joined the publication in this call
  bool is_replication_slot_new{};         ///< the forward replication slot was made in this call
  lsn consistent_point;                   ///< of a new replication slot: the stream starts here
  std::vector<std::string> waited_for;    ///< transactions that had to end first: pid, application, age
};

/// Lets tables join the stream of the source: publication, write guard (recording), trigger on the shard key where the primary key does not
/// hold it; makes the forward replication slot once; waits until every transaction older than the publication's change has ended (CP3).
/// The first chunk may open only after this returned.
/// Errors: `deadline_exceeded` naming the transactions that stand in the way (all else is in place: call again).
result<join_report> join_publication(onboard_node const& source, migration_manifest const&, std::vector<std::string> const& groups,
                                     std::vector<table_state> const&, onboard_options const&);

/// After the copy: secondary indexes (CONCURRENTLY), foreign keys (NOT VALID, then VALIDATE) except dropped ones and those to tables that
/// the shard does not have, user triggers by the manifest's policy. An invalid index that a crash left is built anew.
/// Errors: `constraint_violation` naming the foreign key whose validation failed.
result<schema_report> finish_schema(onboard_node const& source, onboard_node const& shard, std::vector<table_state> const&, onboard_options const&);

/// For tables with interleaved ids: sequences of serial and identity columns step by the stride, remainder 0 on the source and i + 1 on
/// shard i, each restarted above every id there was (X10). Cost: nextval waits for one short transaction on the source.
result<> prepare_ids(onboard_node const& source, std::vector<onboard_node> const& shards, std::vector<table_state> const&, onboard_options const&);

/// For tables with ids LEASED or SLOT: the row in the catalog that clients lease blocks from, above the highest id and what the column's sequences
/// have given, with `id_margin` for LEASED. From here on new ids come from there alone: the sequences go on as they were, and are not looked at.
/// Errors: `precondition_failed`: the primary key is not one integer column (SLOT: bigint), or a row's id does not carry its slot (SLOT).
/// Cost: the highest key; for SLOT a scan of the table.
result<> prepare_id_blocks(onboard_node const& source, std::vector<table_state> const&, onboard_options const&);

/// On a shard: publication of the groups' tables, fences and marker, then the reverse replication slot. Its consistent point if made now.
result<lsn> prepare_reverse(onboard_node const& shard, migration_manifest const&, std::vector<std::string> const& groups,
                            std::vector<table_state> const&, onboard_options const&);
/// Takes the tables out of the shard's publication; with the last one the publication and the reverse replication slot go. Idempotent.
result<> drop_reverse(onboard_node const& shard, migration_manifest const&, std::vector<table_state> const&, onboard_options const&);

/// The write guard refuses foreign writers from here on, on every node given. Drains those already writing.
/// Errors: `deadline_exceeded` naming who holds the table's lock; tables done so far stay done.
result<> refuse_foreign_writers(std::vector<onboard_node> const& nodes, std::vector<table_state> const&, onboard_options const&);
/// The write guard is taken off (finalizing: keep it on the source).
result<> drop_write_guard(onboard_node const& node, std::vector<table_state> const&, onboard_options const&);

/// Columns, types, NOT NULL, generated columns and primary key on both sides. Errors: `schema_drift` naming each difference.
result<> compare_schema(session& source, session& shard, table_state const&);

}  // namespace v0
}  // namespace shardway
