// The table itself: its kind, its columns, its names.
#include <algorithm>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/preflight/fix.hpp"
#include "lib/migrate/preflight/rules.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using names::quoted;
using names::quoted_table;

// PostgreSQL's own limit is 1,600 columns and 1,664 expressions in a list; a statement of ours lists each
// column, and some of its own.
constexpr std::size_t columns_max = 1500;

char const* word_of(char kind) {
  switch (kind) {
    case 'v':
      return "a view";
    case 'm':
      return "a materialized view";
    case 'f':
      return "a foreign table";
    case 'S':
      return "a sequence";
    case 'c':
      return "a composite type";
    default:
      return "something else";
  }
}

bool is_table(relation_facts const& relation) { return relation.kind == 'r' || relation.kind == 'p'; }

void check_one_name(char const* what, std::string const& subject, std::string const& name, finding_list& out,
                    bool& clean) {
  if (!absl::AsciiStrToLower(name).starts_with("_shardway")) return;
  clean = false;
  out.fail("reserved_name", subject, absl::StrCat("the ", what, "'s name begins with _shardway, as ours do"),
           "rename it on the source");
}

}  // namespace

void check_kind(table_case const& table, finding_list& out) {
  auto const& root = table.facts.root;
  auto const qualified = quoted_table(table.name());
  if (!is_table(root))
    return out.fail("table", table.name(), absl::StrCat("it is no table, but ", word_of(root.kind)),
                    "name a table in the manifest");
  if (root.is_partition)
    return out.fail("table", table.name(), "it is a partition",
                    "name its partitioned parent in the manifest");
  if (root.persistence == 't')
    return out.fail("table", table.name(), "it is a temporary table of another session",
                    "name a permanent table in the manifest");
  if (root.persistence != 'p')
    return out.fail("table", table.name(), "it is unlogged: its changes are not in the WAL",
                    fix::sql("ALTER TABLE " + qualified + " SET LOGGED"));
  if (root.is_typed)
    return out.fail("table", table.name(), "it is a typed table (OF a composite type)",
                    fix::sql("ALTER TABLE " + qualified + " NOT OF"));
  out.pass("table", table.name(), "exists");
}

void check_inheritance(table_case const& table, finding_list& out) {
  if (!table.facts.root.takes_part_in_inheritance) return out.pass("inheritance", table.name(), "none");
  out.fail("inheritance", table.name(),
           "it inherits, or others inherit from it: rows would be copied twice or not at all",
           "turn the inheritance into partitions, or leave the table out");
}

void check_columns(table_case const& table, finding_list& out) {
  bool clean = true;
  for (auto const& column : table.facts.columns) {
    if (!column.is_composite) continue;
    clean = false;
    out.warn("composite_column", absl::StrCat(table.name(), ".", column.name),
             "composite type " + column.type + ": a change of the type is not noticed by the stream",
             "leave the type as it is while the migration runs");
  }
  if (clean) out.pass("composite_column", table.name(), "none");
  for (auto const& column : table.facts.columns) {
    bool const is_known = std::all_of(table.source.shard_versions.begin(), table.source.shard_versions.end(),
                                      [](int version) { return version >= 180000; });
    if (column.generated == 'v' && !is_known)
      out.fail("generated_column", absl::StrCat(table.name(), ".", column.name),
               "it is a virtual generated column, and a shard older than 18 has none",
               "make it a stored one, or take shards of 18");
  }
}

void check_column_count(table_case const& table, finding_list& out) {  // AS18
  auto const count = table.facts.columns.size();
  if (count <= columns_max) return out.pass("column_count", table.name(), absl::StrCat(count, " columns"));
  out.fail(
      "column_count", table.name(),
      absl::StrCat("it has ", count, " columns, and statements of the library name at most ", columns_max),
      "move rarely used columns into a table of their own, or into a jsonb column");
}

void check_reserved_names(table_case const& table, finding_list& out) {
  bool clean = true;
  auto const dot = table.name().find('.');
  check_one_name("table", table.name(), table.name().substr(dot + 1), out, clean);
  for (auto const& column : table.facts.columns)
    check_one_name("column", absl::StrCat(table.name(), ".", column.name), column.name, out, clean);
  for (auto const& index : table.facts.indexes) {
    if (!index.name.starts_with("shardway_identity_") || index.is_replica_identity) continue;
    clean = false;
    out.fail("reserved_name", absl::StrCat(index.name, " on ", index.relation),
             "an index of the library has a name of this form",
             fix::sql(absl::StrCat(
                 "ALTER INDEX ",
                 quoted_table(index.relation.substr(0, index.relation.find('.')) + '.' + index.name),
                 " RENAME TO ", quoted("own_" + index.name.substr(9)))));
  }
  for (auto const& trigger : table.source.triggers) {
    if (trigger.table != table.name() || trigger.is_ours || !trigger.name.starts_with("shardway_")) continue;
    clean = false;
    out.fail(
        "reserved_name", absl::StrCat(trigger.name, " on ", trigger.relation),
        "a trigger of the library has a name of this form",
        fix::sql(absl::StrCat("ALTER TRIGGER ", quoted(trigger.name), " ON ", quoted_table(trigger.relation),
                              " RENAME TO ", quoted("own_" + trigger.name.substr(9)))));
  }
  if (clean) out.pass("reserved_name", table.name(), "no name is one of ours");
}

void judge_table(source_facts const& source, migration_manifest const& migration,
                 std::vector<table_manifest> const& all, table_manifest const& manifest, finding_list& out) {
  auto const* facts = source.find(manifest.table);
  if (!facts)
    return out.fail("table", manifest.table, "there is no such table on the source",
                    "correct the manifest's table");
  table_case const table{manifest, *facts, source, all, migration};
  check_kind(table, out);
  if (!is_table(facts->root)) return;
  using rule = void (*)(table_case const&, finding_list&);
  for (rule const check : {check_inheritance,      check_column_count,
                           check_reserved_names,   check_replica_identity,
                           check_primary_key,      check_key_index,
                           check_key_columns,      check_shard_key_columns,
                           check_lookup_columns,   check_key_uniqueness,
                           check_unique,           check_columns,
                           check_identity,         check_partitions,
                           check_foreign_keys,     check_triggers,
                           check_outside_triggers, check_ids,
                           check_sequences,        check_sequences_in_code})
    check(table, out);
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
