// What a team declares about a table, and an operator about a migration: plain structs. Their text form is in
// codec.hpp.
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

/// When a dual write returns.
///
/// In both modes the process may die after the source's commit. The row is then on the source only, readers
/// of the shard see the older row until the stream has delivered it, and nothing is lost.
enum class dual_write_mode : unsigned char {
  sync,   ///< after the shard's commit, or after the budget, with the receipt `pending`
  async,  ///< after the source's commit
};

enum class id_strategy_kind : unsigned char {
  /// The application gives the ids.
  external,
  /// Sequences on each node step by `stride`, each node with its own remainder: no id is on two nodes.
  interleaved,
  /// A client leases blocks of ids from the catalog and gives them out by itself (`id_source`).
  leased,
  /// Ids carry their slot: a row is routed by its id alone (`slot_id_of`).
  slot,
};

/// How the library learns which rows a transaction changed while dual writing.
enum class capture_kind : unsigned char {
  /// The library frames the statement and adds the outbox rows to it: the cheaper way.
  statement,
  /// Statement triggers with transition tables write the outbox rows: any code is captured, functions
  /// included.
  trigger,
};

/// Finds the shard key by other columns. The write path keeps its mappings on the shards, each on the shard
/// of the value's slot.
struct lookup_index {
  std::string name;                  ///< [a-z][a-z0-9_]*, at most 30 bytes; unique in its table
  std::vector<std::string> columns;  ///< 1 to 4, of types that a shard key may have
  bool unique{};
  friend bool operator==(lookup_index const&, lookup_index const&) = default;
};

/// What reads of a table may do beyond going to the authority of one key.
struct read_policy {
  /// Whether reads without a shard key may ask every node.
  bool scatter{};

  /// 1 to 1,024: how many nodes one scatter read may ask.
  std::uint32_t fan_out_max{64};

  /// 1 to 60,000 ms: the longest that a scatter read may take.
  std::chrono::milliseconds scatter_budget{1000};

  /// 0 to 100, by slot: how many reads shards serve while the source has authority.
  std::uint32_t from_shards_percent{};

  /// 0 to 100: how many reads are repeated on the shard and compared, in `dual_writing`.
  std::uint32_t shadow_percent{};

  friend bool operator==(read_policy const&, read_policy const&) = default;
};

/// What the shards do with the table's triggers. Changes arrive as finished images, so triggers would run
/// twice.
enum class trigger_policy : unsigned char {
  /// Triggers are created on the shards and fire for the application's writes only. The default.
  when_authoritative,
  /// Triggers are not created on the shards.
  source_only,
};

/// A finding of the doctor that would stop the migration, and does not because somebody has said why. It is
/// still shown, as `accepted`.
struct accepted_finding {
  std::string finding;  ///< its id, such as "unique_without_shard_key"
  std::string
      subject{};       ///< its subject; empty: every finding of that id, except one that could not be checked
  std::string reason;  ///< why it may stand; not empty
  friend bool operator==(accepted_finding const&, accepted_finding const&) = default;
};

/// One table: the content of one manifest file.
struct table_manifest {
  /// "schema.name".
  std::string table;

  /// Tables of one group share a shard key and move together.
  std::string group;

  table_kind kind{table_kind::sharded};

  /// 1 to 4 columns, in order; empty only for a reference table.
  std::vector<std::string> shard_key{};

  /// The columns of the primary key, in order.
  std::vector<std::string> key{};

  /// The furthest stage to which the controller may bring the table.
  stage stage_until{stage::sharded};

  dual_write_mode mode{dual_write_mode::sync};

  /// 1 to 60,000 ms: how long a sync dual write waits for the shard.
  std::chrono::milliseconds budget{250};

  id_strategy_kind ids{id_strategy_kind::external};

  /// The file says `ids { strategy: EXTERNAL }` itself: the application gives each id out once, over all
  /// nodes. False for every other strategy.
  bool ids_given{};

  /// 2 to 4,096, and more than there are shards. Only for interleaved ids.
  std::uint32_t id_stride{64};

  /// 1 to 1,000,000: how many ids one lease has. Only for leased ids.
  std::uint32_t id_block{1000};

  /// Names of foreign keys that cross groups and are not created on the shards.
  std::vector<std::string> drop_foreign_keys{};

  /// Names of unique indexes without the shard key, accepted as unique on each shard only.
  std::vector<std::string> accept_unique{};

  trigger_policy triggers{trigger_policy::when_authoritative};
  capture_kind capture{capture_kind::statement};
  std::vector<lookup_index> lookups{};
  read_policy reads{};

  /// Columns with personal or payment data: the conninfo of every node must then ask for sslmode=verify-full.
  std::vector<std::string> classified_columns{};

  /// Findings of the doctor about this table that do not stop its group.
  std::vector<accepted_finding> accept{};

  friend bool operator==(table_manifest const&, table_manifest const&) = default;
};

/// What a database is in the migration.
enum class node_role : unsigned char { source, shard };

/// A server of the migration.
struct node_definition {
  std::string name;      ///< "source", "shard0" ...; unique in the migration
  std::string conninfo;  ///< libpq's keyword form, without a password
  std::vector<node_definition> replicas{};
  bool pinned_only{};  ///< of a shard: it holds the slots of pinned keys only
  friend bool operator==(node_definition const&, node_definition const&) = default;
};

/// Places one key on a named shard. Only whole slots are placed: the other keys of its slot, one in 4,096, go
/// with it.
struct pinned_key {
  std::vector<std::string> types;   ///< format_type of each shard-key column, such as "bigint"
  std::vector<std::string> values;  ///< in PostgreSQL's text form
  std::string shard;                ///< name of a shard
  friend bool operator==(pinned_key const&, pinned_key const&) = default;
};

/// The migration as a whole: one file beside the tables' files.
struct migration_manifest {
  /// [a-z][a-z0-9_]*, at most 30 bytes: part of the names of replication slots and publications.
  std::string name;

  node_definition source;

  /// 1 to 1,024; the position is the `shard_id`.
  std::vector<node_definition> shards;

  /// The role with which services connect. It is granted what the library needs and nothing more.
  std::string application_role;

  /// More roles with which services connect; each is granted the same.
  std::vector<std::string> other_application_roles{};

  /// The role of the controller.
  std::string engine_role;

  /// The role of the mirror: it may set session_replication_role on the source.
  std::string mirror_role;

  /// The name of the node that holds the catalog; empty means the source.
  std::string catalog{};

  std::vector<pinned_key> pins{};

  /// Findings of the doctor about nodes and roles, or about every table, that do not stop the migration.
  std::vector<accepted_finding> accept{};

  friend bool operator==(migration_manifest const&, migration_manifest const&) = default;
};

}  // namespace v0
}  // namespace shardway
