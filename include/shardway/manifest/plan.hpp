// What new manifests would change in the generation in force, and which of these changes are forbidden.
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
  std::string table;     ///< "schema.name"; empty for a change of the migration itself
  std::string field;     ///< as in the file; empty for the whole table
  std::string before{};  ///< value in force; empty if there is none
  std::string after{};   ///< value wanted
  std::string reason{};
  friend bool operator==(manifest_change const&, manifest_change const&) = default;
};

/// All differences, by table name and then by field.
///
/// Once a group is past `observing`, the list of its tables is fixed, and so are kind, group, shard key, key
/// and ids of each: rows have been placed by them. `capture` is fixed from `dual_writing` on. No lookup may
/// be added from `sharded` on.
std::vector<manifest_change> diff(generation const& applied, std::vector<table_manifest> const& wanted);

/// The differences of the migration itself; `table` is empty in each. Once any group is past `observing`,
/// only conninfos and replicas may change. Values of pins are not shown: they are keys.
std::vector<manifest_change> diff(generation const& applied, migration_manifest const& wanted);

/// One line of a plan: `forbidden shop.orders shard_key: "a" -> "b" (rows have been placed by it: ...)`.
std::string describe(manifest_change const&);

}  // namespace v0
}  // namespace shardway
