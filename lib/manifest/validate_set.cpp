// The rules that span files.
#include <algorithm>
#include <map>

#include "lib/manifest/checks.hpp"
#include "shardway/manifest/validate.hpp"

namespace shardway {
inline namespace v0 {
namespace {

std::string named(table_file const& file) {
  return file.manifest.table + (file.file.empty() ? "" : " (" + file.file + ")");
}

void check_stride(finder& found, table_manifest const& table, migration_manifest const& migration) {
  if (table.ids != id_strategy_kind::interleaved || table.id_stride > migration.shards.size()) return;
  found.add("M016", "ids.stride", 0,
            "the stride of " + std::to_string(table.id_stride) + " is not more than the " +
                std::to_string(migration.shards.size()) + " shards",
            "each shard and the source need a remainder of their own: take a larger stride");
}

void check_twice(finder& found, table_file const& file, std::map<std::string_view, table_file const*>& seen) {
  auto const [known, is_first] = seen.emplace(file.manifest.table, &file);
  if (is_first) return;
  found.add(
      "M026", "table", 0,
      "the table " + shown(file.manifest.table) + " has two manifests; the other is " + named(*known->second),
      "keep one of them");
}

/// The first table of a group says what the others have to agree with.
void check_against_group(finder& found, table_file const& file,
                         std::map<std::string_view, table_file const*>& first) {
  auto const [known, is_first] = first.emplace(file.manifest.group, &file);
  if (is_first) return;
  auto const& other = known->second->manifest;
  if (other.kind != file.manifest.kind) {
    found.add("M027", "group", 0,
              "the group " + shown(other.group) + " holds reference tables and sharded ones, such as " +
                  named(*known->second),
              "put reference tables into a group of their own: a group's authority moves as one");
  } else if (other.shard_key.size() != file.manifest.shard_key.size()) {
    found.add(
        "M028", "shard_key", 0,
        "the shard key has " + std::to_string(file.manifest.shard_key.size()) + " columns, and that of " +
            named(*known->second) + " in the same group has " + std::to_string(other.shard_key.size()),
        "tables of one group share a shard key: the same columns in the same order, under whatever names");
  }
}

}  // namespace

std::vector<manifest_finding> validate_set(migration_file const& migration,
                                           std::span<table_file const> tables) {
  auto all = migration.findings;
  std::map<std::string_view, table_file const*> by_name, by_group;
  finder of_migration{migration.file, migration.positions};
  auto const classified = std::ranges::find_if(
      tables, [](table_file const& file) { return !file.manifest.classified_columns.empty(); });
  if (classified != tables.end()) check_classified(of_migration, migration.manifest, classified->manifest);
  if (!tables.empty()) check_pin_lengths(of_migration, migration.manifest, tables);
  auto spanning = of_migration.take();
  all.insert(all.end(), spanning.begin(), spanning.end());
  for (auto const& file : tables) {
    all.insert(all.end(), file.findings.begin(), file.findings.end());
    finder found{file.file, file.positions};
    check_stride(found, file.manifest, migration.manifest);
    check_twice(found, file, by_name);
    check_against_group(found, file, by_group);
    auto more = found.take();
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

}  // namespace v0
}  // namespace shardway
