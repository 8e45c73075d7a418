// Foreign keys: inside a group, to reference tables, to other groups, from and to tables that stay.
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

table_manifest const* find(std::vector<table_manifest> const& tables, std::string_view name) {
  for (auto const& table : tables)
    if (table.table == name) return &table;
  return nullptr;
}

bool is_changing(char action) { return action == 'c' || action == 'n' || action == 'd'; }
bool changes_rows(foreign_key_facts const& key) {
  return is_changing(key.on_delete) || is_changing(key.on_update);
}

/// Each column of the child's shard key refers to the parent's column at the same place.
bool carries_shard_key(foreign_key_facts const& key, table_manifest const& child,
                       table_manifest const& parent) {
  if (child.shard_key.size() != parent.shard_key.size()) return false;
  for (std::size_t i = 0; i < child.shard_key.size(); ++i) {
    auto const found = std::find(key.columns.begin(), key.columns.end(), child.shard_key[i]);
    auto const place = static_cast<std::size_t>(found - key.columns.begin());
    if (place >= key.referenced_columns.size() || key.referenced_columns[place] != parent.shard_key[i])
      return false;
  }
  return !child.shard_key.empty();
}

std::string drop_on_source(foreign_key_facts const& key) {
  return fix::sql(absl::StrCat("ALTER TABLE ", quoted_table(key.referencing_relation), " DROP CONSTRAINT ",
                               quoted(key.name)));
}

/// The same key, which refuses instead of changing rows.
std::string without_cascade(foreign_key_facts const& key) {
  return fix::sql(absl::StrCat(
      "ALTER TABLE ", quoted_table(key.referencing_relation), " DROP CONSTRAINT ", quoted(key.name),
      ", ADD CONSTRAINT ", quoted(key.name), " FOREIGN KEY (", quoted_list(key.columns), ") REFERENCES ",
      quoted_table(key.referenced_relation), " (", quoted_list(key.referenced_columns), ")"));
}

std::string drop_on_shards(table_case const& table, foreign_key_facts const& key) {
  return fix::manifest(table.name(), fix::field("drop_foreign_key", key.name));
}

void judge_cascade(table_case const& table, foreign_key_facts const& key, table_manifest const* target,
                   finding_list& out) {
  if (!changes_rows(key)) return out.pass("cascade", key.name, "no row is changed past the library");
  auto const ways = fix::any_of({without_cascade(key), drop_on_source(key)});
  if (!target)
    return out.fail("cascade", key.name,
                    absl::StrCat("a change of ", key.referenced, ", which is not moved, changes rows of ",
                                 key.referencing, " past the library"),
                    ways);
  bool const is_together = target->group == table.manifest.group && target->kind == table.manifest.kind;
  if (!is_together)
    return out.fail(
        "cascade", key.name,
        absl::StrCat("a change of ", key.referenced, ", of another group, changes rows of ", key.referencing),
        ways);
  if (!table.is_reference() && !carries_shard_key(key, table.manifest, *target))
    return out.warn("cascade", key.name,
                    absl::StrCat("a change of ", key.referenced, " may change rows of ", key.referencing,
                                 " with another shard key"),
                    fix::any_of({"add the shard key to the foreign key's columns", without_cascade(key)}));
  if (is_changing(key.on_update))
    return out.warn(
        "cascade", key.name,
        absl::StrCat("a change of the key of ", key.referenced, " changes the shard key of its rows in ",
                     key.referencing, ": such rows move to another shard"),
        fix::any_of({"leave the keys of such rows as they are", without_cascade(key)}));
  out.pass("cascade", key.name, "it changes rows of the same shard key");
}

void judge_rows(table_case const& table, foreign_key_facts const& key, finding_list& out) {
  auto const found = table.source.rows.find(rows_name(key));
  auto const answer = found == table.source.rows.end()
                          ? row_answer{row_answer::kind_type::unknown, "its rows were not looked at"}
                          : found->second;
  if (answer.kind == row_answer::kind_type::same)
    return out.pass("foreign_key_rows", key.name, "each row has the shard key of the row that it refers to");
  auto const by_hand = fix::sql(rows_query(key, table.tables));
  if (answer.kind == row_answer::kind_type::unknown)
    return out.fail("foreign_key_rows", key.name,
                    absl::StrCat("whether its rows in ", key.referencing, " and ", key.referenced,
                                 " share their shard key could not be checked: ", answer.why),
                    fix::any_of({by_hand, "the query must find no row: let it run to its end",
                                 drop_on_shards(table, key)}));
  out.fail(
      "foreign_key_rows", key.name,
      absl::StrCat("a row of ", key.referencing, " has another shard key than the row of ", key.referenced,
                   " that it refers to: on shards the key would not hold (SQLSTATE 23503)"),
      fix::any_of({by_hand, "correct the rows that the query finds", drop_on_shards(table, key)}));
}

// AS22. A reference table is written on the source; its children on the shards. Nothing holds the two
// together.
void judge_reference(table_case const& table, foreign_key_facts const& key, finding_list& out) {
  out.fail(
      "reference_foreign_key", key.name,
      absl::StrCat(
          "from ", key.referencing, " to the reference table ", key.referenced,
          ", which is written on the source only: a delete there does not see a child that a shard has "
          "just accepted (an orphan stays), and a child may reach its shard before the new reference row "
          "does (SQLSTATE 23503)"),
      fix::any_of(
          {drop_on_shards(table, key), "then never delete or renumber reference rows that are in use"}));
}

void judge_outgoing(table_case const& table, foreign_key_facts const& key, finding_list& out) {
  auto const* target = table.find(key.referenced);
  judge_cascade(table, key, target, out);
  if (contains(table.manifest.drop_foreign_keys, key.name))
    return out.pass("foreign_key", key.name, "the manifest drops it on the shards");
  bool const is_to_reference = target && target->kind == table_kind::reference;
  if (is_to_reference && !table.is_reference()) return judge_reference(table, key, out);
  if (is_to_reference || (target && target->group == table.manifest.group && !table.is_reference())) {
    out.pass("foreign_key", key.name, "both tables are on the same shard");
    if (needs_rows(key, table.tables)) judge_rows(table, key, out);
    return;
  }
  out.fail("foreign_key", key.name,
           absl::StrCat("from ", key.referencing, " to ", key.referenced, ", which is ",
                        target ? "in group " + target->group : std::string("not moved")),
           drop_on_shards(table, key));
}

}  // namespace

std::string rows_name(foreign_key_facts const& key) {
  return absl::StrCat(key.referencing_relation, " ", key.name);
}

bool needs_rows(foreign_key_facts const& key, std::vector<table_manifest> const& tables) {
  auto const *child = find(tables, key.referencing), *parent = find(tables, key.referenced);
  if (!child || !parent || !key.is_enforced || child->group != parent->group) return false;
  if (child->kind == table_kind::reference || parent->kind == table_kind::reference) return false;
  return !contains(child->drop_foreign_keys, key.name) && !carries_shard_key(key, *child, *parent);
}

std::string rows_query(foreign_key_facts const& key, std::vector<table_manifest> const& tables) {
  auto const *child = find(tables, key.referencing), *parent = find(tables, key.referenced);
  std::vector<std::string> joins, differences;
  for (std::size_t i = 0; i < key.columns.size() && i < key.referenced_columns.size(); ++i)
    joins.push_back(absl::StrCat("p.", quoted(key.referenced_columns[i]), " = c.", quoted(key.columns[i])));
  auto const count = child && parent ? std::min(child->shard_key.size(), parent->shard_key.size()) : 0;
  for (std::size_t i = 0; i < count; ++i)
    // As text: the two columns may have different types, such as integer and bigint, or an enum and text.
    differences.push_back(absl::StrCat("pg_catalog.format('%s', c.", quoted(child->shard_key[i]),
                                       ") IS DISTINCT FROM pg_catalog.format('%s', p.",
                                       quoted(parent->shard_key[i]), ")"));
  return absl::StrCat("SELECT 1 FROM ", quoted_table(key.referencing_relation), " c JOIN ",
                      quoted_table(key.referenced_relation), " p ON ", absl::StrJoin(joins, " AND "),
                      " WHERE ", differences.empty() ? "true" : absl::StrJoin(differences, " OR "),
                      " LIMIT 1");
}

void check_foreign_keys(table_case const& table, finding_list& out) {
  bool clean = true;
  for (auto const& key : table.source.foreign_keys) {
    bool const is_outgoing = key.referencing == table.name();
    if (!is_outgoing && key.referenced != table.name()) continue;
    clean = false;
    if (is_outgoing)
      judge_outgoing(table, key, out);
    else if (!table.find(key.referencing))
      out.warn("foreign_key", key.name,
               absl::StrCat("from ", key.referencing, ", which is not moved, to ", table.name(),
                            ": after the cutover only the mirror's copy is checked, a moment late"),
               fix::any_of({drop_on_source(key), "or leave it knowingly"}));
  }
  if (clean) out.pass("foreign_key", table.name(), "none");
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
