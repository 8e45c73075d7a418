#include "lib/migrate/controller/next_generation.hpp"

#include <algorithm>
#include <optional>

#include <absl/strings/str_join.h>

#include "shardway/manifest/plan.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

group_state new_group(std::string const& name) {
  return {.name = name,
          .stage = stage::observing,
          .authority = {{.slots = all_slots, .shard = std::nullopt, .epoch = epoch{1}, .opened = {}}}};
}

void put_table(generation& next, table_state const& table) {
  for (auto& held : next.tables)
    if (held.manifest.table == table.manifest.table) {
      held = table;
      return;
    }
  next.tables.push_back(table);
}

/// Refuses what may not change any more. Adds a line for each change.
result<> check_changes(std::vector<manifest_change> const& changes, std::vector<std::string>& lines) {
  std::vector<std::string> forbidden;
  for (auto const& change : changes) {
    lines.push_back(describe(change));
    if (change.kind == change_kind::forbidden) forbidden.push_back(lines.back());
  }
  if (forbidden.empty()) return success();
  return error(error_code::manifest_invalid,
               "the manifests change what may not change any more: " + absl::StrJoin(forbidden, "; "),
               "take the change back, or roll the group back to observing");
}

bool has_begun(generation const& current) {
  return std::any_of(current.groups.begin(), current.groups.end(),
                     [](group_state const& group) { return group.stage != stage::observing; });
}

/// The types of a table's shard key; nothing if a column is missing or cannot be a key (the inspection
/// reports it).
std::optional<std::vector<key_type>> key_types_of(table_state const& table) {
  std::vector<key_type> types;
  for (auto const& name : table.manifest.shard_key) {
    auto const column = std::find_if(table.columns.begin(), table.columns.end(),
                                     [&](column_state const& one) { return one.name == name; });
    auto const type =
        column == table.columns.end() ? result<key_column>{error{}} : key_column_of(column->key_type());
    if (!type) return std::nullopt;
    types.push_back(type_of(type.value()));
  }
  return types;
}

/// A pin whose types differ from those of every shard key would place another slot than the key's.
result<> check_pin_types(migration_manifest const& migration, std::vector<table_state> const& tables) {
  std::vector<std::vector<key_type>> known;
  for (auto const& table : tables)
    if (auto types = table.manifest.kind == table_kind::sharded ? key_types_of(table) : std::nullopt)
      known.push_back(std::move(*types));
  for (auto const& pin : migration.pins) {
    std::vector<key_type> types;
    for (auto const& name : pin.types) {
      BOOST_OUTCOME_TRY(auto const column, key_column_of(name));
      types.push_back(type_of(column));
    }
    if (known.empty() || std::find(known.begin(), known.end(), types) != known.end()) continue;
    return error(
        error_code::manifest_invalid,
        "a pin on \"" + pin.shard + "\" has types that no table's shard key has: it would place another slot",
        "write the types of the shard key's columns");
  }
  return success();
}

}  // namespace

result<generation> generation_with(generation const& current, migration_manifest const& migration,
                                   std::vector<table_state> const& tables,
                                   std::vector<std::string>& changes) {
  std::vector<table_manifest> wanted;
  for (auto const& table : tables) wanted.push_back(table.manifest);
  auto all = diff(current, migration);
  auto of_tables = diff(current, wanted);
  all.insert(all.end(), of_tables.begin(), of_tables.end());
  BOOST_OUTCOME_TRYV(check_changes(all, changes));
  BOOST_OUTCOME_TRYV(check_pin_types(migration, tables));
  generation next = current;
  next.migration = migration;
  // Placement follows pins and shards until the first row is copied by it.
  if (next.placement.empty() || !has_begun(current)) {
    BOOST_OUTCOME_TRY(next.placement, first_placement(migration));
  }
  for (auto const& table : tables) {
    put_table(next, table);
    if (!next.find_group(table.manifest.group)) next.groups.push_back(new_group(table.manifest.group));
  }
  // A table that no manifest names any more leaves, and the last one takes its group with it. After
  // observing, `diff` has refused this.
  std::erase_if(next.tables, [&](table_state const& held) {
    return std::none_of(tables.begin(), tables.end(), [&](table_state const& table) {
      return table.manifest.table == held.manifest.table;
    });
  });
  std::erase_if(next.groups, [&](group_state const& held) {
    return std::none_of(next.tables.begin(), next.tables.end(),
                        [&](table_state const& table) { return table.manifest.group == held.name; });
  });
  return next;
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
