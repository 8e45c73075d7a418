// The shape of a table: everything in its definition that has to be the same on the source, in the generation
// and on every shard. Reading is I/O; comparing is pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/migrate/onboard/options.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {

enum class shape_kind : unsigned char {
  relation,      ///< the table or one of its partitions, with its bounds
  storage,       ///< "permanent", "unlogged" or "foreign table"
  column,        ///< of the table; of a partition only where it differs from the table's
  type,          ///< a type that a column reaches: its labels, its constraints, its attributes
  constraint,    ///< primary key, unique, exclusion and check constraints
  unique_index,  ///< that belongs to no constraint
  index,         ///< any other one
  foreign_key,
  trigger,           ///< by the user, never one of ours
  replica_identity,  ///< of a relation that stores rows
  guard,             ///< our write guard: its function; empty if absent or not always enabled
  capture,           ///< our capture triggers that are always enabled
  truncate_trigger,  ///< ours on each partition of the source that stores rows
};

struct shape_object {
  shape_kind kind{};
  std::string relation{};    ///< "schema.name" of the table or partition; of a type: empty
  std::string name{};        ///< within the relation; empty where a relation has only one of its kind
  std::string definition{};  ///< in the server's words, independent of the session's settings
  std::string create{};      ///< SQL that makes it; may be empty
  /// Of a foreign key: the table it refers to. Of a replica identity: its columns, as a text[].
  std::string more{};
  friend bool operator==(shape_object const&, shape_object const&) = default;
};

struct table_shape {
  std::string table{};  ///< "schema.name"
  bool exists{};
  std::vector<column_state> columns{};  ///< in the node's order
  std::vector<shape_object> objects{};  ///< a parent comes before its partitions
  /// Changes whenever the table or a partition is made, attached, detached or dropped, even if it is made
  /// again alike. Different on every node.
  std::string tree{};
};

/// Shapes of the tables in their order; a table that the node lacks has `exists` false. Errors: those of the
/// connection. Cost: one round trip with a fixed number of queries, whatever the number of tables.
result<std::vector<table_shape>> read_table_shapes(session& node, std::vector<table_state> const&);

/// What is done about a difference.
enum class drift_answer : unsigned char {
  follow,  ///< the engine makes it right by itself
  pause,   ///< the group is paused until somebody makes it right
  note,    ///< it is shown, and stops nothing
};

struct shape_difference {
  std::string table{};
  shape_kind kind{};
  std::string node{};    ///< where it has to be made right, if one node is to blame
  std::string object{};  ///< such as "column amount" or "trigger touch of shop.orders"
  std::string what{};    ///< such as "is missing on shard1"
  std::string way_out{};
  std::string sql{};  ///< what the engine runs on the node to follow; empty: it repeats a step of onboarding
  drift_answer answer{drift_answer::pause};
  friend bool operator==(shape_difference const&, shape_difference const&) = default;
};

/// "table shop.orders: column amount is missing on shard1".
std::string describe(shape_difference const&);
/// Whether one of them pauses the group.
bool pauses(std::vector<shape_difference> const&) noexcept;

/// What a shard should have by now.
struct shard_expectation {
  std::string shard{};  ///< its name
  bool
      finished{};  ///< the stage is at least replicating: indexes, foreign keys and triggers are expected too
  /// Whether a table of this name ("schema.name") is on shards by now.
  std::function<bool(std::string const&)> is_on_shards{[](std::string const&) { return true; }};
};

/// What our own objects on one node should be by now.
struct node_expectation {
  std::string node{};  ///< its name
  bool is_shard{};
  bool guarded{};         ///< every relation has a write guard
  bool captured{};        ///< every relation has capture triggers
  bool truncates_seen{};  ///< every partition has the trigger that tells the stream of a TRUNCATE
};

/// The table on the source against the generation in force. Pure.
std::vector<shape_difference> generation_differences(table_state const&, table_shape const& source);
/// The table on a shard against the source. What the manifest leaves out on shards is no difference. Pure.
std::vector<shape_difference> shard_differences(table_state const&, table_shape const& source,
                                                table_shape const& shard, shard_expectation const&);
/// What one node must have on every relation of the table, whatever the other nodes have: stored rows that
/// are in the WAL, a replica identity that names them, our guard and our capture triggers. Pure.
std::vector<shape_difference> node_differences(table_state const&, table_shape const&,
                                               node_expectation const&);

/// Reads both sides and compares. Errors: `schema_drift` naming every difference that pauses or that the
/// engine would follow; those of the connections. Cost: as `read_table_shapes`, on each side.
result<> require_same_shape(session& source, session& shard, std::vector<table_state> const&,
                            shard_expectation const&);
/// `schema_drift` naming every difference but notes; success if there is none.
result<> refuse_differences(std::vector<shape_difference> const&);

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
