// Unique indexes, exclusion constraints, replica identities, partitions.
#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/preflight/fix.hpp"
#include "lib/migrate/preflight/names_of_columns.hpp"
#include "lib/migrate/preflight/rules.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using names::quoted;
using names::quoted_table;

constexpr std::size_t differences_shown = 5;

std::string subject_of(index_facts const& index) {
  return index.is_on_partition ? absl::StrCat(index.name, " on ", index.relation) : index.name;
}

/// Two rows that the index takes for equal have the same shard key.
bool holds_shard_key(index_facts const& index, std::vector<std::string> const& shard_key) {
  return std::all_of(shard_key.begin(), shard_key.end(), [&](std::string const& wanted) {
    for (std::size_t i = 0; i < index.columns.size() && i < index.is_same.size(); ++i)
      if (index.columns[i] == wanted && index.is_same[i]) return true;
    return false;
  });
}

/// The unique lookup that says the same as the index, over all nodes. It knows no NULL, no expression, no
/// part of the rows.
lookup_index const* lookup_of(table_case const& table, index_facts const& index) {
  if (index.is_exclusion || index.are_nulls_equal || !index.predicate.empty()) return nullptr;
  if (!std::all_of(index.is_same.begin(), index.is_same.end(), [](bool same) { return same; }))
    return nullptr;
  auto columns = index.columns;
  std::ranges::sort(columns);
  for (auto const& lookup : table.manifest.lookups) {
    auto named = lookup.columns;
    std::ranges::sort(named);
    if (lookup.unique && named == columns) return &lookup;
  }
  return nullptr;
}

std::string why_not_held(index_facts const& index, std::vector<std::string> const& shard_key) {
  for (auto const& wanted : shard_key)
    for (std::size_t i = 0; i < index.columns.size() && i < index.is_same.size(); ++i)
      if (index.columns[i] == wanted)
        return index.is_exclusion ? "it compares the shard key with another operator than =: rows of two "
                                    "shards may exclude each "
                                    "other"
                                  : "its collation or operator class takes different shard keys for equal";
  bool const has_expression = contains(index.columns, "");
  return has_expression
             ? "it does not hold the shard key as a column of its own: on shards it is unique per shard "
               "only"
             : "it does not hold the shard key: on shards it is unique per shard only";
}

void check_one_unique(table_case const& table, index_facts const& index, finding_list& out, bool& clean) {
  if (holds_shard_key(index, table.manifest.shard_key)) return;
  auto const subject = subject_of(index);
  if (auto const* lookup = lookup_of(table, index))
    return out.pass("unique_without_shard_key", subject,
                    "the unique lookup " + lookup->name + " keeps its values apart on all nodes");
  clean = false;
  if (contains(table.manifest.accept_unique, index.name))
    return out.warn("unique_without_shard_key", subject,
                    "accepted: unique per shard only, two shards may hold the same value",
                    "nothing, if this is intended");
  out.fail("unique_without_shard_key", subject, why_not_held(index, table.manifest.shard_key),
           fix::any_of({fix::manifest(table.name(), fix::field("accept_unique", index.name)),
                        "or add the shard key to the index"}));
}

void check_index_state(index_facts const& index, finding_list& out) {
  auto const qualified = quoted_table(index.relation.substr(0, index.relation.find('.') + 1) + index.name);
  if (!index.is_valid || !index.is_ready)
    return out.fail(
        "unique_index_state", subject_of(index),
        "it is not valid, as CREATE INDEX CONCURRENTLY leaves one that failed: it is not made on shards",
        fix::any_of({fix::sql("REINDEX INDEX " + qualified), fix::sql("DROP INDEX " + qualified)}));
  if (!index.is_deferrable) return;
  bool const is_plain = !index.is_exclusion && !contains(index.columns, "");
  auto const columns = quoted_list(index.columns);
  out.fail("unique_index_state", subject_of(index),  // AS1
           "it is DEFERRABLE: rows come to the shards one by one, so that values which rows of one "
           "transaction swap "
           "meet",
           is_plain ? fix::sql(absl::StrCat("ALTER TABLE ", quoted_table(index.relation), " DROP CONSTRAINT ",
                                            quoted(index.constraint), ", ADD CONSTRAINT ",
                                            quoted(index.constraint), " UNIQUE (", columns, ")"))
                    : "make the constraint NOT DEFERRABLE");
}

void check_one_identity(table_case const& table, relation_facts const& relation, finding_list& out,
                        bool& clean) {
  auto const put_back =
      fix::sql("ALTER TABLE ONLY " + quoted_table(relation.name) + " REPLICA IDENTITY DEFAULT");
  auto const fail = [&](std::string what) {
    clean = false;
    out.fail("replica_identity", relation.name, std::move(what), put_back);
  };
  if (relation.replica_identity == 'n')
    return fail("it is NOTHING: updates and deletes would not be decoded");
  if (!relation.identity_columns)
    return fail(
        "PostgreSQL finds no usable replica identity: UPDATE and DELETE on it fail (SQLSTATE 55000) as soon "
        "as the "
        "table is published");
  for (auto const& column : table.manifest.key)
    if (!contains(*relation.identity_columns, column))
      return fail(absl::StrCat("it is the index over (", absl::StrJoin(*relation.identity_columns, ", "),
                               "), without ", column,
                               " of the primary key: the stream would not know the row"));
}

void check_one_partition(table_case const& table, relation_facts const& partition, finding_list& out) {
  auto const qualified = quoted_table(partition.name);
  if (partition.kind == 'f')
    return out.fail(
        "partition", partition.name,
        "it is a foreign table: its rows lie on another server, and its changes are not in the WAL",
        fix::sql(absl::StrCat("ALTER TABLE ", quoted_table(table.name()), " DETACH PARTITION ", qualified)));
  if (partition.persistence != 'p')  // AS20
    out.fail("partition", partition.name, "it is unlogged: its changes are not in the WAL",
             fix::sql("ALTER TABLE " + qualified + " SET LOGGED"));
  if (partition.is_detaching)
    out.fail("partition", partition.name,
             "it is being detached: its rows are in no read of the table, and still in the WAL",
             fix::sql(absl::StrCat("ALTER TABLE ", quoted_table(table.name()), " DETACH PARTITION ",
                                   qualified, " FINALIZE")));
}

void check_differences(table_case const& table, finding_list& out) {
  std::vector<std::string> shown;
  std::size_t count = 0;
  for (auto const& difference : table.facts.differences) {
    auto const text = absl::StrCat(difference.relation, ": ", difference.what);
    if (difference.is_generated)
      out.fail("partition_shape", difference.relation,
               absl::StrCat(difference.what, " than in ", table.name(),
                            ": a row's value would depend on how it came there"),
               "give the partition the table's expression");
    else if (++count <= differences_shown)
      shown.push_back(text);
  }
  if (count == 0) return out.pass("partition_shape", table.name(), "its partitions are as it is");
  out.warn("partition_shape", table.name(),
           absl::StrCat("partitions are not as the table is (", count, "): ", absl::StrJoin(shown, "; "),
                        count > differences_shown ? "; ..." : "", ": shards get each partition as it is"),
           "make the partitions alike, if that is not meant");
}

}  // namespace

void check_unique(table_case const& table, finding_list& out) {  // F4, AS21
  bool clean = true;
  for (auto const& index : table.facts.indexes) {
    if (index.is_primary && !index.is_on_partition) continue;
    check_index_state(index, out);
    if (!table.is_reference()) check_one_unique(table, index, out, clean);
  }
  if (clean && !table.is_reference())
    out.pass("unique_without_shard_key", table.name(), "every unique index holds the shard key");
}

// AS2. The stream needs every column of the primary key in what the WAL says of the old row, of the table and
// of each partition that holds rows.
void check_replica_identity(table_case const& table, finding_list& out) {
  bool clean = true;
  check_one_identity(table, table.facts.root, out, clean);
  for (auto const& partition : table.facts.partitions)
    if (partition.kind == 'r') check_one_identity(table, partition, out, clean);
  if (clean) out.pass("replica_identity", table.name(), "updates and deletes name the row");
}

void check_partitions(table_case const& table, finding_list& out) {
  if (table.facts.partitions.empty()) {
    if (table.facts.root.kind == 'p')
      out.pass("partition", table.name(),
               "by " + table.facts.root.partition_key + ", without a partition yet");
    return;
  }
  for (auto const& partition : table.facts.partitions) check_one_partition(table, partition, out);
  auto const by_default = std::count_if(table.facts.partitions.begin(), table.facts.partitions.end(),
                                        [](relation_facts const& one) { return one.bound == "DEFAULT"; });
  out.pass("partition", table.name(),
           absl::StrCat(table.facts.partitions.size(), " partitions by ", table.facts.root.partition_key,
                        by_default > 0 ? ", one of them for all other rows" : ""));
  check_differences(table, out);
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
