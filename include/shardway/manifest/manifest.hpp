// What a team writes down about a table and an operator about a migration: plain structs. Text and JSON forms: codec.hpp.
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

/// When a dual write returns. In both modes the process may die after the source's commit: the row is then on the source only, readers of the
/// shard see the older row until the stream has delivered it, and nothing is lost.
enum class dual_write_mode : unsigned char {
  sync,   ///< after the shard's commit, or after the budget with the secondary pending
  async,  ///< after the source's commit
};

enum class id_strategy_kind : unsigned char {
  external,     ///< the application gives the ids
  interleaved,  ///< sequences on each node step by `stride`, each node with its own remainder: never the same id on two nodes
};

/// What the shards do with the table's triggers. Changes arrive as finished images, so triggers would run twice.
enum class trigger_policy : unsigned char {
  when_authoritative,  ///< triggers are created on the shards and fire for the application's writes only (the default)
  source_only,         ///< triggers are not created on the shards
};

/// One table: the content of one manifest file.
struct table_manifest {
  std::string table;                    ///< "schema.name"
  std::string group;                    ///< tables that share a shard key and move together
  table_kind kind{table_kind::sharded};
  std::vector<std::string> shard_key{};   ///< columns, in order; empty only for a reference table
  std::vector<std::string> key{};         ///< primary-key columns, in order
  stage stage_until{stage::sharded};    ///< the furthest stage the controller may bring the table to
  dual_write_mode mode{dual_write_mode::sync};
  std::chrono::milliseconds budget{250};  ///< > 0: how long a sync dual write waits for the shard
  id_strategy_kind ids{id_strategy_kind::external};
  std::uint32_t id_stride{64};          ///< 2 to 4,096 and > number of shards; only for interleaved
  std::vector<std::string> drop_foreign_keys{};  ///< names of foreign keys that cross groups and are not created on the shards
  std::vector<std::string> accept_unique{};      ///< names of unique indexes without the shard key, accepted as unique per shard only
  trigger_policy triggers{trigger_policy::when_authoritative};
  friend bool operator==(table_manifest const&, table_manifest const&) = default;
};

/// A server of the migration.
struct node_definition {
  std::string name;                    ///< "source", "shard0" ...; unique in the migration
  std::string conninfo;                ///< libpq's keyword form, without a password
  std::vector<node_definition> replicas;
  friend bool operator==(node_definition const&, node_definition const&) = default;
};

/// The migration as a whole: one file beside the tables' files.
struct migration_manifest {
  std::string name;                    ///< [a-z][a-z0-9_]*, at most 30 bytes: part of replication slot and publication names
  node_definition source;
  std::vector<node_definition> shards; ///< shard_id is the position; 1 to 1,024
  std::string application_role;        ///< the role services connect with; is granted what the library needs and nothing more
  std::string engine_role;             ///< the role of the controller
  std::string mirror_role;             ///< may set session_replication_role on the source
  friend bool operator==(migration_manifest const&, migration_manifest const&) = default;
};

}  // namespace v0
}  // namespace shardway
