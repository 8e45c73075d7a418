// What new manifests would change against the generation in force, and what of it is forbidden.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shardway/manifest/generation.hpp"

namespace shardway {
inline namespace v0 {

enum class change_kind : unsigned char {
  table_added,
  table_removed,
  option_changed,
  forbidden,  ///< `reason` says why, and what has to come first
};
std::string_view name(change_kind) noexcept;

struct manifest_change {
  change_kind kind{};
  std::string table;   ///< "schema.name"; empty for a change of the migration itself
  std::string field;   ///< as in the file; empty where the whole table is meant
  std::string from{};  ///< value in force; empty if there is none
  std::string to{};    ///< value wanted
  std::string reason{};
  friend bool operator==(manifest_change const&, manifest_change const&) = default;
};

/// All differences, by table name and then field. Once a group is past `observing`, the shape of its tables
/// (kind, group, shard key, key, ids) and the list of its tables are fixed: rows have been placed by them.
/// `capture` is fixed from `dual_writing`, new lookups from `sharded`.
std::vector<manifest_change> diff(generation const& applied, std::vector<table_manifest> const& wanted);

/// The migration's own differences; `table` is empty in each. Once any group is past `observing`, all is
/// fixed but conninfos and replicas. Values of pins are not shown: they are keys.
std::vector<manifest_change> diff(generation const& applied, migration_manifest const& wanted);

/// One line of a plan: `forbidden shop.orders shard_key: "a" -> "b" (rows have been placed by it: ...)`.
std::string describe(manifest_change const&);

}  // namespace v0
}  // namespace shardway
