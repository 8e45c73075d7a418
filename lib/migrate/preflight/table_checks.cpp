#include <algorithm>
#include <optional>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/onboard/sql.hpp"
#include "lib/migrate/preflight/checks.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using onboard::column_of;
using onboard::contains;

/// The row of pg_class, with each column by its name.
struct relation_facts {
  std::string kind, persistence, replica_identity;
  bool is_partition{}, has_row_security{}, forces_row_security{}, takes_part_in_inheritance{};
};

std::optional<relation_facts> read_relation(context const& checked, std::string const& qualified) {
  auto const found = ask(
      checked, "table",
      {"SELECT relkind, relispartition, relpersistence, relrowsecurity, relforcerowsecurity, relreplident,"
       " EXISTS (SELECT 1 FROM pg_inherits i WHERE (i.inhrelid = c.oid AND NOT c.relispartition) OR"
       " (i.inhparent = c.oid AND c.relkind = 'r'))"
       " FROM pg_class c WHERE c.oid = to_regclass($1)",
       {qualified}});
  if (found.empty()) return std::nullopt;
  return relation_facts{.kind = std::string(found.text(0, 0)),
                        .persistence = std::string(found.text(0, 2)),
                        .replica_identity = std::string(found.text(0, 5)),
                        .is_partition = found.boolean(0, 1),
                        .has_row_security = found.boolean(0, 3),
                        .forces_row_security = found.boolean(0, 4),
                        .takes_part_in_inheritance = found.boolean(0, 6)};
}

void check_kind(context const& checked, table_manifest const& table, std::string const& qualified,
                relation_facts const& facts) {
  if (facts.kind != "r" && facts.kind != "p")
    return checked.fail("table", table.table, "it is no table", "name a table in the manifest");
  if (facts.is_partition)
    return checked.fail("table", table.table, "it is a partition",
                        "name its partitioned parent in the manifest");
  if (facts.persistence != "p")
    return checked.fail("table", table.table, "it is unlogged: its changes are not in the WAL",
                        "ALTER TABLE " + qualified + " SET LOGGED");
  checked.pass("table", table.table, "exists");
}

void check_inheritance(context const& checked, table_manifest const& table, relation_facts const& facts) {
  if (!facts.takes_part_in_inheritance) return checked.pass("inheritance", table.table, "none");
  checked.fail("inheritance", table.table,
               "it inherits, or others inherit from it: rows would be copied twice or not at all",
               "turn the inheritance into partitions, or leave the table out");
}

void check_row_security(context const& checked, table_manifest const& table, std::string const& qualified,
                        relation_facts const& facts) {
  if (facts.forces_row_security)
    return checked.fail("row_security", table.table,
                        "row security is forced: the engine would see only some rows",
                        "ALTER TABLE " + qualified + " NO FORCE ROW LEVEL SECURITY");
  if (facts.has_row_security)
    return checked.warn("row_security", table.table,
                        "it has row security: policies are not brought to the shards",
                        "create the policies on the shards before reads move there");
  checked.pass("row_security", table.table, "none");
}

void check_replica_identity(context const& checked, table_manifest const& table, std::string const& qualified,
                            relation_facts const& facts) {
  if (facts.replica_identity != "n")
    return checked.pass("replica_identity", table.table, "updates and deletes name the row");
  checked.fail("replica_identity", table.table, "it is NOTHING: updates and deletes would not be decoded",
               "ALTER TABLE " + qualified + " REPLICA IDENTITY DEFAULT");
}

void check_primary_key(context const& checked, table_manifest const& table, std::string const& qualified) {
  auto const found =
      ask(checked, "primary_key",
          {"SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k"
           " (attnum, place) JOIN pg_attribute a"
           " ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE i.indrelid = to_regclass($1) AND"
           " i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place",
           {qualified}});
  auto const key = column_of(found, 0);
  if (key.empty())
    return checked.fail("primary_key", table.table, "it has no primary key",
                        "ALTER TABLE " + qualified + " ADD PRIMARY KEY (...)");
  if (key == table.key)
    return checked.pass("primary_key", table.table, absl::StrCat("(", absl::StrJoin(key, ", "), ")"));
  checked.fail("primary_key", table.table,
               absl::StrCat("it is (", absl::StrJoin(key, ", "), "), the manifest says (",
                            absl::StrJoin(table.key, ", "), ")"),
               "correct the manifest's key");
}

// F1. Each node checks a domain's constraints by itself. For the slot only the type under the domain matters,
// and for an enum its label.
constexpr std::string_view key_column_sql =
    "SELECT a.attnotnull, coalesce(l.collisdeterministic, true), format_type(a.atttypid, a.atttypmod), "
    "u.type, u.is_enum FROM pg_attribute a"
    " LEFT JOIN pg_collation l ON l.oid = a.attcollation CROSS JOIN LATERAL (WITH RECURSIVE under AS (SELECT "
    "t.oid, t.typtype, t.typbasetype,"
    " t.typtypmod, a.atttypmod AS modifier FROM pg_type t WHERE t.oid = a.atttypid UNION ALL SELECT t.oid, "
    "t.typtype, t.typbasetype, t.typtypmod,"
    " u.typtypmod FROM under u JOIN pg_type t ON t.oid = u.typbasetype WHERE u.typtype = 'd') SELECT CASE "
    "WHEN typtype = 'e' AND oid = a.atttypid THEN"
    " 'text' ELSE format_type(oid, modifier) END AS type, typtype = 'e' AS is_enum FROM under WHERE typtype "
    "<> 'd') u"
    " WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped";

void check_shard_key_column(context const& checked, table_manifest const& table, std::string const& qualified,
                            std::string const& column) {
  auto const found = ask(checked, "shard_key", {std::string(key_column_sql), {qualified, column}});
  auto const subject = table.table + '.' + column;
  if (found.empty())
    return checked.fail("shard_key", subject, "there is no such column", "correct the manifest's shard_key");
  auto const type = std::string(found.text(0, 2));
  auto const under = std::string(found.text(0, 3));
  auto const shown = type == under ? type : type + ", as a key " + under;
  if (!key_column_of(under))
    checked.fail(
        "shard_key_type", subject, "type " + shown + " is not supported as shard key",
        found.boolean(0, 4)
            ? "use the enum itself: PostgreSQL cannot compare two values of a domain over an enum"
            : "use a column of an integer type, text, varchar, uuid or bytea, a domain over one, or an enum");
  else
    checked.pass("shard_key_type", subject, shown);
  if (found.boolean(0, 4) && under == "text")
    checked.warn("shard_key_enum", subject,
                 "a label is a key: ALTER TYPE ... RENAME VALUE would change the slots of its rows",
                 "add labels as you like, and rename none while the table is sharded");
  if (!found.boolean(0, 0))
    checked.fail("shard_key_not_null", subject, "it may be NULL",
                 "ALTER TABLE " + qualified + " ALTER COLUMN " + names::quoted(column) + " SET NOT NULL");
  else
    checked.pass("shard_key_not_null", subject, "NOT NULL");
  if (!found.boolean(0, 1))
    checked.fail("shard_key_collation", subject,
                 "its collation is not deterministic: equal keys would have different"
                 " slots",
                 "give the column a deterministic collation");
  else
    checked.pass("shard_key_collation", subject, "deterministic");
}

void check_lookup_column(context const& checked, table_manifest const& table, std::string const& qualified,
                         std::string const& column) {
  auto const found = ask(checked, "lookup_column", {std::string(key_column_sql), {qualified, column}});
  auto const generated = ask(
      checked, "lookup_column",
      {"SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND attgenerated <> ''",
       {qualified, column}});
  auto const subject = table.table + '.' + column;
  if (found.empty())
    return checked.fail("lookup_column", subject, "there is no such column", "correct the manifest's lookup");
  if (!generated.empty())
    return checked.fail("lookup_column", subject, "it is generated: its value is not in a row's image",
                        "use the columns that it is computed from");
  if (!key_column_of(found.text(0, 3)))
    return checked.fail(
        "lookup_column", subject, "type " + std::string(found.text(0, 2)) + " is not supported in a lookup",
        "use a column of an integer type, text, varchar, uuid or bytea, a domain over one, or an enum");
  if (!found.boolean(0, 1))
    return checked.fail("lookup_column", subject,
                        "its collation is not deterministic: equal values would have different mappings",
                        "give the column a deterministic collation");
  checked.pass("lookup_column", subject, std::string(found.text(0, 2)));
}

// F4
void check_unique(context const& checked, table_manifest const& table, std::string const& qualified) {
  auto const found = ask(checked, "unique_without_shard_key",
                         {"SELECT c.relname, ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = "
                          "i.indrelid AND a.attnum = ANY"
                          " (i.indkey::int2[])) @> $2::text[]::name[]"
                          " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = "
                          "to_regclass($1) AND (i.indisunique"
                          " OR i.indisexclusion) AND NOT i.indisprimary ORDER BY 1",
                          {qualified, text_array(table.shard_key)}});
  bool clean = true;
  for (std::size_t row = 0; row < found.size(); ++row) {
    std::string const index(found.text(row, 0));
    if (found.boolean(row, 1)) continue;
    clean = false;
    if (contains(table.accept_unique, index))
      checked.warn("unique_without_shard_key", index,
                   "accepted: unique per shard only, two shards may"
                   " hold the same value",
                   "nothing, if this is intended");
    else
      checked.fail("unique_without_shard_key", index,
                   "it does not hold the shard key: on shards it is unique per shard only",
                   "accept_unique: \"" + index + "\" in the manifest, or add the shard key to the index");
  }
  if (clean) checked.pass("unique_without_shard_key", table.table, "every unique index holds the shard key");
}

void check_columns(context const& checked, table_manifest const& table, std::string const& qualified) {
  auto const found =
      ask(checked, "composite_column",
          {"SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_type"
           " t ON t.oid = a.atttypid LEFT JOIN pg_type e"
           " ON e.oid = t.typelem WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT"
           " a.attisdropped AND 'c' IN (t.typtype, e.typtype) ORDER BY a.attnum",
           {qualified}});
  for (std::size_t row = 0; row < found.size(); ++row)
    checked.warn("composite_column", table.table + '.' + std::string(found.text(row, 0)),
                 "composite type " + std::string(found.text(row, 1)) +
                     ": a change of the type is not noticed by the stream",
                 "leave the type as it is while the migration runs");
  if (found.empty()) checked.pass("composite_column", table.table, "none");
}

// The stream and the mirror write whole row images. PostgreSQL lets them insert a value into a GENERATED
// ALWAYS identity column, but not update it to one.
void check_identity(context const& checked, table_manifest const& table, std::string const& qualified) {
  auto const found = ask(
      checked, "identity_column",
      {"SELECT a.attname FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT"
       " a.attisdropped AND a.attidentity = 'a' AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid ="
       " a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey::int2[])) ORDER BY a.attnum",
       {qualified}});
  for (std::size_t row = 0; row < found.size(); ++row) {
    std::string const column(found.text(row, 0));
    checked.fail(
        "identity_column", table.table + '.' + column,
        "it is GENERATED ALWAYS AS IDENTITY outside the primary key: it cannot be updated"
        " to a value",
        "ALTER TABLE " + qualified + " ALTER COLUMN " + names::quoted(column) + " SET GENERATED BY DEFAULT");
  }
  if (found.empty()) checked.pass("identity_column", table.table, "none that cannot be updated");
}

}  // namespace

bool check_table(context const& checked, table_manifest const& table) {
  auto const qualified = names::quoted_table(table.table);
  auto const facts = read_relation(checked, qualified);
  if (!facts) {
    checked.fail("table", table.table, "there is no such table on the source",
                 "correct the manifest's table");
    return false;
  }
  check_kind(checked, table, qualified, *facts);
  check_inheritance(checked, table, *facts);
  check_row_security(checked, table, qualified, *facts);
  check_replica_identity(checked, table, qualified, *facts);
  check_primary_key(checked, table, qualified);
  for (auto const& column : table.shard_key) check_shard_key_column(checked, table, qualified, column);
  for (auto const& lookup : table.lookups)
    for (auto const& column : lookup.columns) check_lookup_column(checked, table, qualified, column);
  if (table.kind == table_kind::sharded) check_unique(checked, table, qualified);
  check_columns(checked, table, qualified);
  check_identity(checked, table, qualified);
  return true;
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
