// One generation: all that a client needs to route, as one immutable document. It is copied to every node
// before it is published.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/ids.hpp"
#include "shardway/base/lsn.hpp"
#include "shardway/base/result.hpp"
#include "shardway/manifest/manifest.hpp"

namespace shardway {
inline namespace v0 {

/// Which node may accept writes for a range, and since which epoch.
struct authority_range {
  slot_range slots{};
  std::optional<shard_id> shard{};  ///< nothing: the source
  shardway::epoch epoch{};          ///< the epoch of this authority
  /// The position of the node's WAL when its fence was opened. It covers every session token from before.
  lsn opened{};
  friend bool operator==(authority_range const&, authority_range const&) = default;
};

/// Slots of a shard, whether or not it has authority for them yet.
struct placement_range {
  slot_range slots{};
  shard_id shard{};
  friend bool operator==(placement_range const&, placement_range const&) = default;
};

struct group_state {
  std::string name;
  shardway::stage stage{shardway::stage::observing};
  std::vector<authority_range> authority;  ///< sorted, without gap or overlap, covering all slots
  friend bool operator==(group_state const&, group_state const&) = default;
};

/// A column as found on the source when the table joined.
struct column_state {
  std::string name;
  std::string type;  ///< format_type, such as "numeric(12,2)" or "shop.order_state"
  bool generated{};  ///< GENERATED ALWAYS AS ... STORED: computed on each node, never sent
  bool not_null{};
  /// Of a domain the type under it, with its modifier; of an enum "text"; else empty.
  std::string base_type{};

  /// The type whose canonical bytes a key in this column has.
  std::string const& key_type() const noexcept { return base_type.empty() ? type : base_type; }
  friend bool operator==(column_state const&, column_state const&) = default;
};

struct table_state {
  table_manifest manifest;
  std::vector<column_state> columns;  ///< in the source's order, dropped ones left out
  bool partitioned{};
  friend bool operator==(table_state const&, table_state const&) = default;
};

struct generation {
  std::uint64_t number{};
  migration_manifest migration;
  std::vector<placement_range> placement;  ///< sorted, without gap or overlap, covering all slots
  std::vector<group_state> groups;
  std::vector<table_state> tables;
  friend bool operator==(generation const&, generation const&) = default;

  group_state const* find_group(std::string_view name) const noexcept;
  table_state const* find_table(std::string_view schema_and_name) const noexcept;

  /// The range that holds the slot. Preconditions: the group's ranges cover all slots.
  static authority_range const& authority_of(group_state const&, slot_id) noexcept;

  /// The shard on which a slot is placed.
  shard_id shard_of(slot_id) const noexcept;
};

/// Slots spread evenly and contiguously: shard i of n has [4096 i / n, 4096 (i + 1) / n).
///
/// Preconditions: 1 <= shard_count <= 1,024.
std::vector<placement_range> even_placement(std::uint16_t shard_count);

/// The first placement: slots evenly over the shards that are not `pinned_only`, then the slot of each pin on
/// its shard.
///
/// Errors: `manifest_invalid` for what the rules M043 to M048 refuse.
result<std::vector<placement_range>> first_placement(migration_manifest const&);

/// The slot that a pin moves.
///
/// Errors: `manifest_invalid`, `invalid_argument`; the value is not in the message.
result<slot_id> slot_of(pinned_key const&);

/// The document form: protobuf's canonical JSON.
std::string encode(generation const&);

/// Reads the document form. Errors: `corrupt_data`.
result<generation> decode_generation(std::string_view document);

}  // namespace v0
}  // namespace shardway
