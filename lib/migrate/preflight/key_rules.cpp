// Primary keys, shard keys, lookup columns, identity columns.
#include <algorithm>
#include <array>
#include <charconv>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/preflight/fix.hpp"
#include "lib/migrate/preflight/names_of_columns.hpp"
#include "lib/migrate/preflight/rules.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using names::quoted;
using names::quoted_table;

constexpr std::string_view key_types_hint =
    "use a column of an integer type, text, varchar, uuid or bytea, a domain over one, or an enum";

// PostgreSQL moves values out of the row that would make it longer than about 2 kB.
constexpr std::int64_t row_bytes_kept = 2000;
// Above this average some keys are long, though the average is not.
constexpr std::int64_t suspicious_average = 256;

std::string alter_column(table_case const& table, std::string const& column, std::string const& what) {
  return fix::sql(
      absl::StrCat("ALTER TABLE ", quoted_table(table.name()), " ALTER COLUMN ", quoted(column), " ", what));
}

bool is_integer(std::string_view type) { return type == "smallint" || type == "integer" || type == "bigint"; }

std::string add_primary_key(table_case const& table) {
  auto const& key = table.manifest.key;
  bool const exists = std::all_of(key.begin(), key.end(), [&](std::string const& column) {
    return table.facts.find_column(column) != nullptr;
  });
  if (key.empty() || !exists) return "add a primary key to the table";
  return fix::sql(
      absl::StrCat("ALTER TABLE ", quoted_table(table.name()), " ADD PRIMARY KEY (", quoted_list(key), ")"));
}

/// The primary key again, with other words or other columns behind it.
std::string replace_primary_key(table_case const& table, index_facts const& primary,
                                std::vector<std::string> const& columns) {
  return fix::sql(absl::StrCat("ALTER TABLE ", quoted_table(table.name()), " DROP CONSTRAINT ",
                               quoted(primary.constraint), ", ADD CONSTRAINT ", quoted(primary.constraint),
                               " PRIMARY KEY (", quoted_list(columns), ")"));
}

/// The most bytes a value of this type can have; nothing for a type without a limit.
std::optional<std::int64_t> most_bytes(std::string_view type) {
  auto const open = type.find('(');
  if (open == type.npos) return std::nullopt;
  std::int64_t length{};
  auto const digits = type.substr(open + 1);
  if (std::from_chars(digits.data(), digits.data() + digits.size(), length).ec != std::errc{})
    return std::nullopt;
  if (type.starts_with("character")) return length * 4;
  if (type.starts_with("numeric") || type.starts_with("bit")) return length / 2 + 8;
  return std::nullopt;
}

void check_out_of_line(table_case const& table, finding_list& out) {  // AS4
  std::int64_t most = 0, average = 0;
  bool is_limited = true, is_measured = true;
  for (auto const& name : table.manifest.key) {
    auto const* column = table.facts.find_column(name);
    if (!column || column->storage == 'p') continue;
    auto const limit = most_bytes(column->key_type);
    is_limited = is_limited && limit.has_value();
    is_measured = is_measured && (limit || column->average_width);
    most += limit.value_or(0);
    average += column->average_width.value_or(0);
  }
  if (is_limited && most <= row_bytes_kept)
    return out.pass("key_out_of_line", table.name(), "the key always stays in the row");
  if (is_measured && average < suspicious_average)
    return out.pass("key_out_of_line", table.name(),
                    absl::StrCat("the key has no limit, and averages ", average, " bytes"));
  if (!is_measured)
    return out.warn(
        "key_out_of_line", table.name(),
        "the key has no limit, and no statistics say how long keys are: a key over 2 kB is stored "
        "out of line, and each change of its row then carries the whole key",
        fix::sql("ANALYZE " + quoted_table(table.name())));
  out.warn(
      "key_out_of_line", table.name(),
      absl::StrCat("keys average ", average,
                   " bytes: one over 2 kB is stored out of line, and each change of its row then carries "
                   "the whole key"),
      "take a shorter key, such as a digest of the long value");
}

void check_shard_key_column(table_case const& table, std::string const& name, finding_list& out) {
  auto const subject = absl::StrCat(table.name(), ".", name);
  auto const* column = table.facts.find_column(name);
  if (!column)
    return out.fail("shard_key", subject, "there is no such column", "correct the manifest's shard_key");
  auto const shown =
      column->type == column->key_type ? column->type : column->type + ", as a key " + column->key_type;
  if (!key_column_of(column->key_type))
    out.fail("shard_key_type", subject, "type " + shown + " is not supported as shard key",
             column->is_enum
                 ? "use the enum itself: PostgreSQL cannot compare two values of a domain over an enum"
                 : std::string(key_types_hint));
  else
    out.pass("shard_key_type", subject, shown);
  if (column->is_enum && column->key_type == "text")
    out.warn("shard_key_enum", subject,
             "a label is a key: ALTER TYPE ... RENAME VALUE would change the slots of its rows",
             "add labels as you like, and rename none while the table is sharded");
  if (!column->is_not_null)
    out.fail("shard_key_not_null", subject, "it may be NULL", alter_column(table, name, "SET NOT NULL"));
  else
    out.pass("shard_key_not_null", subject, "NOT NULL");
  if (!column->is_deterministic)
    out.fail("shard_key_collation", subject,
             "its collation is not deterministic: equal keys would have different slots",
             "give the column a deterministic collation");
  else
    out.pass("shard_key_collation", subject, "deterministic");
  if (column->generated)  // AS18
    out.fail(
        "shard_key_generated", subject,
        "it is generated: the stream does not show its value, so that no change has a slot",
        fix::any_of({column->generated == 's' ? alter_column(table, name, "DROP EXPRESSION") : "",
                     "let the application or a trigger write it, or route by the columns it is made of"}));
}

void check_lookup_column(table_case const& table, std::string const& name, finding_list& out) {
  auto const subject = absl::StrCat(table.name(), ".", name);
  auto const* column = table.facts.find_column(name);
  if (!column)
    return out.fail("lookup_column", subject, "there is no such column", "correct the manifest's lookup");
  if (column->generated)
    return out.fail("lookup_column", subject, "it is generated: its value is not in a row's image",
                    "use the columns that it is computed from");
  if (!key_column_of(column->key_type))
    return out.fail("lookup_column", subject, "type " + column->type + " is not supported in a lookup",
                    std::string(key_types_hint));
  if (!column->is_deterministic)
    return out.fail("lookup_column", subject,
                    "its collation is not deterministic: equal values would have different mappings",
                    "give the column a deterministic collation");
  out.pass("lookup_column", subject, column->type);
}

// Uniqueness of keys --------------------------------------------------------------------------------------

bool key_holds_shard_key(table_manifest const& manifest) {
  return std::all_of(manifest.shard_key.begin(), manifest.shard_key.end(),
                     [&](std::string const& column) { return contains(manifest.key, column); });
}

/// A key whose index takes two shard keys for equal is not unique by one of them.
bool key_index_tells_shard_keys_apart(table_case const& table) {
  auto const* primary = table.facts.primary();
  if (!primary) return true;
  for (std::size_t i = 0; i < primary->columns.size() && i < primary->is_same.size(); ++i)
    if (contains(table.manifest.shard_key, primary->columns[i]) && !primary->is_same[i]) return false;
  return true;
}

bool takes_from_interleaved_sequence(table_case const& table, column_facts const& column) {
  if (table.manifest.ids != id_strategy_kind::interleaved || !is_integer(column.key_type)) return false;
  for (auto const& sequence : table.source.sequences)
    for (auto const& use : sequence.uses)
      if (use.table == table.name() && use.column == column.name) return true;
  return false;
}

std::string why_column_is_unique(table_case const& table, column_facts const& column) {
  if (is_generating_default(column)) return column.name + " is made by " + column.default_expression;
  if (takes_from_interleaved_sequence(table, column))
    return column.name + " comes from interleaved sequences";
  if (table.manifest.key.size() == 1 && is_integer(column.key_type)) {
    if (table.manifest.ids == id_strategy_kind::leased) return column.name + " is leased";
    if (table.manifest.ids == id_strategy_kind::slot) return column.name + " carries its slot";
  }
  return {};
}

std::string why_lookup_holds_it(table_manifest const& manifest) {
  auto key = manifest.key;
  std::ranges::sort(key);
  for (auto const& lookup : manifest.lookups) {
    auto columns = lookup.columns;
    std::ranges::sort(columns);
    if (lookup.unique && columns == key) return "the unique lookup " + lookup.name + " holds it";
  }
  return {};
}

/// All columns of a parent's key are in this key, and both rows share their shard key: then this key is as
/// unique as the parent's.
std::string why_parent_makes_it_unique(table_case const& table, int depth);

std::string why_unique(table_case const& table, int depth) {
  auto const& manifest = table.manifest;
  if (key_holds_shard_key(manifest) && key_index_tells_shard_keys_apart(table))
    return "it holds the shard key";
  for (auto const& name : manifest.key)
    if (auto const* column = table.facts.find_column(name))
      if (auto why = why_column_is_unique(table, *column); !why.empty()) return why;
  if (auto why = why_lookup_holds_it(manifest); !why.empty()) return why;
  bool const are_ids = std::all_of(manifest.key.begin(), manifest.key.end(), [&](std::string const& name) {
    auto const* column = table.facts.find_column(name);
    return column && (is_integer(column->key_type) || column->key_type == "uuid");
  });
  if (manifest.ids_given && are_ids) return "the application gives each id out once, as the manifest says";
  return depth > 0 ? why_parent_makes_it_unique(table, depth - 1) : std::string{};
}

std::string why_parent_makes_it_unique(table_case const& table, int depth) {
  for (auto const& key : table.source.foreign_keys) {
    auto const* parent = table.find(key.referenced);
    auto const* facts = table.source.find(key.referenced);
    if (key.referencing_relation != table.name() || !parent || !facts || parent == &table.manifest) continue;
    if (parent->group != table.manifest.group || parent->kind != table_kind::sharded) continue;
    auto referenced = key.referenced_columns, wanted = parent->key;
    std::ranges::sort(referenced);
    std::ranges::sort(wanted);
    bool const is_in_key =
        std::all_of(key.columns.begin(), key.columns.end(),
                    [&](std::string const& column) { return contains(table.manifest.key, column); });
    if (!is_in_key || referenced != wanted) continue;
    table_case const above{*parent, *facts, table.source, table.tables, table.migration};
    if (auto const why = why_unique(above, depth); !why.empty())
      return absl::StrCat("it holds the key of ", parent->table, ", of which ", why);
  }
  return {};
}

std::string unique_lookup_fix(table_case const& table) {
  auto const& key = table.manifest.key;
  if (key.empty() || key.size() > 4 || table.manifest.capture == capture_kind::trigger) return {};
  std::string columns;
  for (auto const& name : key) {
    auto const* column = table.facts.find_column(name);
    if (!column || !key_column_of(column->key_type) || !column->is_deterministic) return {};
    absl::StrAppend(&columns, " ", fix::field("column", name));
  }
  return fix::manifest(table.name(), absl::StrCat("lookup { name: \"by_key\"", columns, " unique: true }"));
}

std::string external_fix(table_case const& table) {
  for (auto const& name : table.manifest.key) {
    auto const* column = table.facts.find_column(name);
    if (!column || !(is_integer(column->key_type) || column->key_type == "uuid")) return {};
  }
  return fix::manifest(table.name(), "ids { strategy: EXTERNAL }");
}

std::string composite_fix(table_case const& table) {
  auto const* primary = table.facts.primary();
  if (!primary) return {};
  auto columns = table.manifest.shard_key;
  for (auto const& name : table.manifest.key)
    if (!contains(columns, name)) columns.push_back(name);
  return replace_primary_key(table, *primary, columns);
}

std::string default_text(table_case const& table) {
  for (auto const& name : table.manifest.key)
    if (auto const* column = table.facts.find_column(name); column && !column->default_functions.empty())
      return absl::StrCat("; the default of ", name, " calls ", column->default_functions.front().name,
                          ", of which nothing says that two nodes never give the same");
  return {};
}

}  // namespace

bool is_generating_default(column_facts const& column) {
  if (column.key_type != "uuid" && column.key_type != "text" &&
      !column.key_type.starts_with("character varying"))
    return false;
  std::string_view text = column.default_expression;
  auto const cast = text.rfind("::");
  if (cast != text.npos && text.find("()", cast) == text.npos) text = text.substr(0, cast);
  if (text.starts_with('(') && text.ends_with(')')) text = text.substr(1, text.size() - 2);
  if (!text.ends_with("()")) return false;
  text.remove_suffix(2);
  bool const is_system = column.default_functions.empty();
  if (!is_system) {
    auto const& function = column.default_functions.front();
    if (column.default_functions.size() != 1 ||
        (function.extension != "uuid-ossp" && function.extension != "pgcrypto"))
      return false;
  }
  text = text.substr(text.rfind('.') == text.npos ? 0 : text.rfind('.') + 1);
  constexpr std::array<std::string_view, 6> known{
      "gen_random_uuid", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuidv4", "uuidv7"};
  return std::find(known.begin(), known.end(), text) != known.end();
}

std::string why_key_is_unique(table_case const& table) { return why_unique(table, 4); }

void check_primary_key(table_case const& table, finding_list& out) {
  auto const* primary = table.facts.primary();
  if (!primary) return out.fail("primary_key", table.name(), "it has no primary key", add_primary_key(table));
  if (primary->columns == table.manifest.key)
    return out.pass("primary_key", table.name(), absl::StrCat("(", column_list(primary->columns), ")"));
  std::string key;
  for (auto const& column : primary->columns)
    absl::StrAppend(&key, key.empty() ? "" : " ", fix::field("key", column));
  out.fail("primary_key", table.name(),
           absl::StrCat("it is (", column_list(primary->columns), "), the manifest says (",
                        column_list(table.manifest.key), ")"),
           fix::manifest(table.name(), key));
}

void check_key_index(table_case const& table, finding_list& out) {  // AS1
  auto const* primary = table.facts.primary();
  if (!primary) return;
  if (primary->is_deferrable || !primary->is_immediate)
    return out.fail("key_index", table.name(),
                    absl::StrCat("its primary key ", primary->name,
                                 " is DEFERRABLE: PostgreSQL then refuses UPDATE and DELETE on the source "
                                 "(SQLSTATE 55000) as soon as the table is published"),
                    replace_primary_key(table, *primary, primary->columns));
  if (primary->is_exclusion)
    return out.fail(
        "key_index", table.name(),
        absl::StrCat("its primary key ", primary->name, " is one WITHOUT OVERLAPS: no row is found by it"),
        "give the table a primary key of ordinary columns");
  if (!primary->is_valid || !primary->is_ready)
    return out.fail(
        "key_index", table.name(),
        absl::StrCat("the index ", primary->name, " of its primary key is not valid"),
        fix::sql("REINDEX INDEX " +
                 quoted_table(table.name().substr(0, table.name().find('.') + 1) + primary->name)));
  out.pass("key_index", table.name(), "valid, and checked at once");
}

void check_key_columns(table_case const& table, finding_list& out) {
  for (auto const& name : table.manifest.key) {
    auto const* column = table.facts.find_column(name);
    if (!column || !column->generated) continue;
    out.fail("key_generated", absl::StrCat(table.name(), ".", name),
             "it is generated and in the primary key: the stream does not show its value",
             fix::any_of({column->generated == 's' ? alter_column(table, name, "DROP EXPRESSION") : "",
                          "let the application write it"}));
  }
  check_out_of_line(table, out);
}

void check_shard_key_columns(table_case const& table, finding_list& out) {
  for (auto const& column : table.manifest.shard_key) check_shard_key_column(table, column, out);
}

void check_lookup_columns(table_case const& table, finding_list& out) {
  for (auto const& lookup : table.manifest.lookups)
    for (auto const& column : lookup.columns) check_lookup_column(table, column, out);
}

// AP10: while authority is split, two nodes must not both give out one key.
void check_key_uniqueness(table_case const& table, finding_list& out) {
  if (table.is_reference() || !table.facts.primary()) return;
  if (table.manifest.stage_until < stage::sharded)
    return out.pass("key_uniqueness", table.name(),
                    "the manifest lets no wave move it: one node gives keys out");
  if (auto const why = why_key_is_unique(table); !why.empty())
    return out.pass("key_uniqueness", table.name(), why);
  out.fail(
      "key_uniqueness", table.name(),
      absl::StrCat("the primary key (", column_list(table.manifest.key),
                   ") does not hold the shard key, and nothing says that each key is given out once: while "
                   "slots are moved wave by wave, two nodes could both give out one key",
                   default_text(table)),
      fix::any_of({unique_lookup_fix(table), external_fix(table), composite_fix(table)}));
}

// The stream and the mirror write whole row images. PostgreSQL lets them insert a value into a GENERATED
// ALWAYS identity column, but not update it to one. Where a table has no other column, the mirror has nothing
// else to update (AS10).
void check_identity(table_case const& table, finding_list& out) {
  bool const is_all_key =
      std::all_of(table.facts.columns.begin(), table.facts.columns.end(), [&](column_facts const& column) {
        return column.generated || contains(table.manifest.key, column.name);
      });
  bool clean = true;
  for (auto const& column : table.facts.columns) {
    bool const is_in_key = contains(table.manifest.key, column.name);
    if (column.identity != 'a' || (is_in_key && !is_all_key)) continue;
    clean = false;
    out.fail("identity_column", absl::StrCat(table.name(), ".", column.name),
             is_in_key
                 ? "it is GENERATED ALWAYS AS IDENTITY, and the table has key columns only: a row that is "
                   "already there cannot be written again"
                 : "it is GENERATED ALWAYS AS IDENTITY outside the primary key: it cannot be updated"
                   " to a value",
             alter_column(table, column.name, "SET GENERATED BY DEFAULT"));
  }
  if (clean) out.pass("identity_column", table.name(), "none that cannot be updated");
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
