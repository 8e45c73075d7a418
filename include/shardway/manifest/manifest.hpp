// What a team writes down about a table and an operator about a migration: plain structs. Text and JSON
// forms: codec.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "shardway/manifest/stage.hpp"

namespace shardway {
inline namespace v0 {

enum class table_kind : unsigned char {
  sharded,    ///< each row lives on the shard of its slot
  reference,  ///< the source keeps authority for the whole table; every shard has a copy, kept by the stream
};

/// When a dual write returns. In both modes the process may die after the source's commit: the row is then on
/// the source only, readers of the shard see the older row until the stream has delivered it, and nothing is
/// lost.
enum class dual_write_mode : unsigned char {
  sync,   ///< after the shard's commit, or after the budget with the dual_write pending
  async,  ///< after the source's commit
};

enum class id_strategy_kind : unsigned char {
  external,     ///< the application gives the ids
  interleaved,  ///< sequences on each node step by `stride`, each node with its own remainder: never the same
                ///< id on two nodes
  leased,       ///< a client leases blocks of ids from the catalog and gives them out by itself (`id_source`)
  slot,         ///< ids carry their slot: a row is routed by its id alone (`slot_id_of`)
};

/// How the rows that a transaction changed are learnt while dual writing.
enum class capture_kind : unsigned char {
  statement,  ///< the library frames the statement and adds the outbox rows to it: the cheaper way
  trigger,    ///< statement triggers with transition tables write the outbox rows: any code is captured,
              ///< functions included
};

/// Another column's way to the shard key. Kept by the write path, on the shards, placed by the slot of the
/// looked-up value.
struct lookup_index {
  std::string name;                  ///< [a-z][a-z0-9_]*, at most 30 bytes; unique in its table
  std::vector<std::string> columns;  ///< 1 to 4, of types that a shard key may have
  bool unique{};
  friend bool operator==(lookup_index const&, lookup_index const&) = default;
};

/// What reads of a table may do beyond going to the authority of one key.
struct read_policy {
  bool scatter{};                                  ///< reads without a shard key may ask every node
  std::uint32_t fan_out_max{64};                   ///< > 0: nodes one scatter read may ask
  std::chrono::milliseconds scatter_budget{1000};  ///< > 0: the longest a scatter read may take
  std::uint32_t
      from_shards_percent{};  ///< 0 to 100, by slot: reads served by shards while the source has authority
  std::uint32_t shadow_percent{};  ///< 0 to 100: reads repeated on the shard and compared, in `dual_writing`
  friend bool operator==(read_policy const&, read_policy const&) = default;
};

/// What the shards do with the table's triggers. Changes arrive as finished images, so triggers would run
/// twice.
enum class trigger_policy : unsigned char {
  when_authoritative,  ///< triggers are created on the shards and fire for the application's writes only (the
                       ///< default)
  source_only,         ///< triggers are not created on the shards
};

/// One table: the content of one manifest file.
struct table_manifest {
  std::string table;  ///< "schema.name"
  std::string group;  ///< tables that share a shard key and move together
  table_kind kind{table_kind::sharded};
  std::vector<std::string> shard_key{};  ///< columns, in order; empty only for a reference table
  std::vector<std::string> key{};        ///< primary-key columns, in order
  stage stage_until{stage::sharded};     ///< the furthest stage the controller may bring the table to
  dual_write_mode mode{dual_write_mode::sync};
  std::chrono::milliseconds budget{250};  ///< > 0: how long a sync dual write waits for the shard
  id_strategy_kind ids{id_strategy_kind::external};
  std::uint32_t id_stride{64};   ///< 2 to 4,096 and > number of shards; only for interleaved
  std::uint32_t id_block{1000};  ///< 1 to 1,000,000: ids in one lease; only for leased
  std::vector<std::string>
      drop_foreign_keys{};  ///< names of foreign keys that cross groups and are not created on the shards
  std::vector<std::string>
      accept_unique{};  ///< names of unique indexes without the shard key, accepted as unique per shard only
  trigger_policy triggers{trigger_policy::when_authoritative};
  capture_kind capture{capture_kind::statement};
  std::vector<lookup_index> lookups{};
  read_policy reads{};
  std::vector<std::string> classified_columns{};  ///< personal or payment data: every node's conninfo must
                                                  ///< ask for sslmode=verify-full
  friend bool operator==(table_manifest const&, table_manifest const&) = default;
};

/// What a database is in the migration.
enum class node_role : unsigned char { source, shard };

/// A server of the migration.
struct node_definition {
  std::string name;      ///< "source", "shard0" ...; unique in the migration
  std::string conninfo;  ///< libpq's keyword form, without a password
  std::vector<node_definition> replicas{};
  bool pinned_only{};  ///< of a shard: it gets the slots of pinned keys only
  friend bool operator==(node_definition const&, node_definition const&) = default;
};

/// Puts one key on a named shard. Slots are what moves: the other keys of its slot, one in 4,096, go with it.
struct pinned_key {
  std::vector<std::string> types;   ///< format_type of each shard-key column, such as "bigint"
  std::vector<std::string> values;  ///< in PostgreSQL's text form
  std::string shard;                ///< name of a shard
  friend bool operator==(pinned_key const&, pinned_key const&) = default;
};

/// The migration as a whole: one file beside the tables' files.
struct migration_manifest {
  std::string name;  ///< [a-z][a-z0-9_]*, at most 30 bytes: part of replication slot and publication names
  node_definition source;
  std::vector<node_definition> shards;  ///< shard_id is the position; 1 to 1,024
  std::string application_role;  ///< the role services connect with; is granted what the library needs and
                                 ///< nothing more
  std::string engine_role;       ///< the role of the controller
  std::string mirror_role;       ///< may set session_replication_role on the source
  std::string catalog{};         ///< name of the node that holds the catalog; empty: the source
  std::vector<pinned_key> pins{};
  friend bool operator==(migration_manifest const&, migration_manifest const&) = default;
};

}  // namespace v0
}  // namespace shardway
