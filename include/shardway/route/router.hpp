// From table and key to node and epoch: the first step of every call. Pure, without I/O. Snapshots are
// replaced while calls go on.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/route/placement.hpp"
#include "shardway/route/published.hpp"
#include "shardway/route/slot.hpp"

namespace shardway {
inline namespace v0 {

/// Tables that move together.
struct group_routes {
  std::string name;
  routing_table owners;
  /// Writes to slots of which the source has authority also go to the shard on which the slot is placed.
  bool dual_written{};
};

/// One table that the router knows.
struct table_routes {
  std::string table;      ///< "schema.name"
  std::uint16_t group{};  ///< index into `routing_data::groups`
  bool reference{};       ///< the source keeps authority; every shard has a copy

  /// The type of each column of the shard key, in the manifest's order. Empty for a reference table.
  std::vector<key_type> shard_key;

  /// The names of these columns, for messages. May be empty.
  std::vector<std::string> columns{};

  /// The limits of each of these columns, in the same order. May be empty: then none has a limit.
  std::vector<key_limits> limits{};
};

/// What a snapshot is made from: plain data, filled from a generation.
struct routing_data {
  std::uint64_t generation{};
  std::uint16_t shard_count{};
  placement placed;
  std::vector<group_routes> groups;
  std::vector<table_routes> tables;
};

/// Where a call goes.
struct route {
  slot_id slot{};
  node_index node{};        ///< the authority: writes and fresh reads
  shardway::epoch epoch{};  ///< the epoch a write names to the fence
  shard_id placed{};        ///< the shard the slot is placed on, whether or not it has authority
  bool dual_written{};      ///< a write goes to `placed` as well
  std::uint16_t group{};    ///< index of the group
};

/// One immutable state of routing.
/// Thread safety: shared use is safe.
class routing_snapshot {
 public:
  /// Errors: `corrupt_data` if a table names a group that does not exist, or if two tables have the same
  /// name.
  static result<std::shared_ptr<routing_snapshot const>> make(routing_data data);

  std::uint64_t generation() const noexcept { return data_.generation; }
  routing_data const& data() const noexcept { return data_; }

  /// The table's routes, or null if no manifest of the generation names the table. Lifetime: the snapshot's.
  /// Cost: a hash of the name; no allocation.
  table_routes const* find(std::string_view table) const noexcept;

  /// The route of one key.
  ///
  /// Errors: `unknown_table`; `shard_key_missing` (no key was given, or the table is a reference table);
  /// `invalid_argument` (the key has other columns or types than the table's and would hash to a wrong slot;
  /// a value is none of its column's type, such as a text longer than its varchar; or `shard_key::check`
  /// fails). Cost: no allocation unless it fails.
  result<route> by_key(std::string_view table, shard_key const& key) const;

  /// The route of a slot, for a table that was found before.
  route of_slot(table_routes const& table, slot_id slot) const noexcept;

  /// Every node with authority for some slot of the table's group, the source first. A call without a shard
  /// key must go to all of them.
  ///
  /// Errors: `unknown_table`. Lifetime: the snapshot's. Cost: no allocation unless it fails.
  result<std::span<node_index const>> scatter(std::string_view table) const;

 private:
  /// What a call needs to know of a table, in half a cache line.
  struct known_table {
    std::uint32_t tag{};  ///< of the name's hash
    std::uint32_t name_size{};
    char const* name{};  ///< null: this place is free
    std::uint32_t index{};
    std::uint16_t group{};
    std::uint8_t columns{};  ///< of the shard key; 0: a reference table
    bool is_limited{};       ///< one of the columns has limits
    std::array<key_type, limits::shard_key_columns_max> types{};
  };

  explicit routing_snapshot(routing_data data);
  void index_tables();
  known_table const* known(std::string_view table) const noexcept;
  route of_group(std::uint16_t group, slot_id slot) const noexcept;
  bool is_beyond(known_table const&, shard_key const& key) const noexcept;
  error refusal(std::string_view table, shard_key const& key) const;

  routing_data data_;
  /// A hash table with a power of two of places. At least half of them are free. A name stands at the first
  /// place that is free, starting from its hash.
  std::vector<known_table> known_;
  std::vector<std::vector<node_index>> nodes_of_group_;
};

/// Holds the current snapshot and gives it to readers. Publishing never makes a call wait.
///
/// Thread safety: shared use is safe; one thread at a time uses a `reader`.
/// Lifetime: outlives its readers.
class router {
 public:
  /// Preconditions: not null.
  explicit router(std::shared_ptr<routing_snapshot const> first);

  /// Makes a snapshot the current one, unless its generation is older than the current one's. Returns whether
  /// it did. Preconditions: not null.
  bool publish(std::shared_ptr<routing_snapshot const> next);

  /// The current snapshot. Cost: a lock held for one reference count. On the request path use a `reader`.
  std::shared_ptr<routing_snapshot const> snapshot() const;

  /// The copy of the pointer that one thread or session keeps.
  class reader {
   public:
    explicit reader(router const& owner) : reader_(owner.current_) {}

    /// The current snapshot. Lifetime: until the next call. Cost: one atomic load, unless a new snapshot was
    /// published.
    routing_snapshot const& current() { return *reader_.current(); }

   private:
    published<routing_snapshot>::reader reader_;
  };

 private:
  published<routing_snapshot> current_;
};

}  // namespace v0
}  // namespace shardway

#include "shardway/route/impl/router.ipp"
