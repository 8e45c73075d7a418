#include <algorithm>

#include "lib/migrate/onboard/sql.hpp"
#include "lib/migrate/preflight/checks.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using onboard::contains;

table_manifest const* find(context const& checked, std::string_view name) {
  for (auto const& table : checked.tables)
    if (table.table == name) return &table;
  return nullptr;
}

struct foreign_key {
  std::string name, referencing, referenced;
  bool changes_rows{};     // ON DELETE or ON UPDATE does more than refuse
  bool holds_shard_key{};  // its columns hold the shard key of the table it is on
};

std::vector<foreign_key> read_foreign_keys(context const& checked, std::string const& qualified,
                                           table_manifest const& table) {
  auto const found =
      ask(checked, "foreign_key",
          {"SELECT k.conname, format('%s.%s', n.nspname, c.relname), format('%s.%s', rn.nspname, r.relname),"
           " k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'),"
           " ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY "
           "(k.conkey)) @>"
           " $2::text[]::name[]"
           " FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = "
           "c.relnamespace JOIN"
           " pg_class r ON r.oid = k.confrelid"
           " JOIN pg_namespace rn ON rn.oid = r.relnamespace WHERE k.contype = 'f' AND k.conparentid = 0 AND"
           " to_regclass($1)::oid IN (k.conrelid, k.confrelid) ORDER BY 1",
           {qualified, text_array(table.shard_key)}});
  std::vector<foreign_key> out;
  for (std::size_t row = 0; row < found.size(); ++row)
    out.push_back({std::string(found.text(row, 0)), std::string(found.text(row, 1)),
                   std::string(found.text(row, 2)), found.boolean(row, 3), found.boolean(row, 4)});
  return out;
}

bool stays_together(table_manifest const& table, table_manifest const* target) {
  return target && (target->group == table.group || target->kind == table_kind::reference);
}

void judge_outgoing(context const& checked, table_manifest const& table, foreign_key const& key) {
  auto const* target = find(checked, key.referenced);
  auto const drop_on_source =
      "ALTER TABLE " + names::quoted_table(key.referencing) + " DROP CONSTRAINT " + names::quoted(key.name);
  if (key.changes_rows && !target)
    checked.fail("cascade", key.name,
                 "a change of " + key.referenced + ", which is not moved, changes rows of " +
                     key.referencing + " past the library",
                 drop_on_source);
  else if (key.changes_rows && target && target->group != table.group)
    checked.fail("cascade", key.name,
                 "a change of " + key.referenced + ", of another group, changes rows of " + key.referencing,
                 drop_on_source);
  else if (key.changes_rows && !key.holds_shard_key)
    checked.warn("cascade", key.name,
                 "a change of " + key.referenced + " may change rows of " + key.referencing +
                     " with another shard key",
                 "add the shard key to the foreign key's columns");
  else
    checked.pass("cascade", key.name, "no row is changed past the library");
  if (contains(table.drop_foreign_keys, key.name))
    return checked.pass("foreign_key", key.name, "the manifest drops it on the shards");
  if (stays_together(table, target))
    return checked.pass("foreign_key", key.name, "both tables are on the same shard");
  checked.fail("foreign_key", key.name,
               "from " + key.referencing + " to " + key.referenced + ", which is " +
                   (target ? "in group " + target->group : std::string("not moved")),
               "drop_foreign_keys: \"" + key.name + "\" in the manifest of " + table.table);
}

void check_foreign_keys(context const& checked, table_manifest const& table, std::string const& qualified) {
  auto const keys = read_foreign_keys(checked, qualified, table);
  for (auto const& key : keys) {
    if (key.referencing == table.table)
      judge_outgoing(checked, table, key);
    else if (!find(checked, key.referencing))
      checked.warn("foreign_key", key.name,
                   "from " + key.referencing + ", which is not moved, to " + table.table +
                       ": after the cutover only the mirror's copy is checked, a moment late",
                   "ALTER TABLE " + names::quoted_table(key.referencing) + " DROP CONSTRAINT " +
                       names::quoted(key.name) + ", or leave it knowingly");
  }
  if (keys.empty()) checked.pass("foreign_key", table.table, "none");
}

// A trigger whose function names another onboarded table probably writes it. Only the function's text is
// known beforehand.
void check_triggers(context const& checked, table_manifest const& table, std::string const& qualified) {
  auto const found =
      ask(checked, "trigger",
          {"SELECT t.tgname, p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid ="
           " to_regclass($1) AND NOT t.tgisinternal"
           " AND t.tgname NOT LIKE 'shardway\\_%' ORDER BY 1",
           {qualified}});
  for (std::size_t row = 0; row < found.size(); ++row) {
    std::string const trigger = std::string(found.text(row, 0)) + " on " + table.table;
    std::vector<std::string> mentioned;
    for (auto const& other : checked.tables)
      if (other.table != table.table &&
          found.text(row, 1).find(other.table.substr(other.table.find('.') + 1)) != std::string_view::npos)
        mentioned.push_back(other.table);
    if (mentioned.empty())
      checked.pass("trigger", trigger,
                   table.triggers == trigger_policy::source_only ? "stays on the source"
                                                                 : "runs where the row has its authority");
    else
      checked.warn("trigger", trigger,
                   "its function names " + onboard::joined(mentioned) +
                       ": if it changes rows there with another shard"
                       " key, the wave is refused",
                   "move that write into the application, or make sure that both rows share the shard key");
  }
  if (found.empty()) checked.pass("trigger", table.table, "none");
}

void check_outside_triggers(context const& checked, table_manifest const& table) {
  auto const bare = table.table.substr(table.table.find('.') + 1);
  auto const found =
      ask(checked, "trigger_into",
          {"SELECT DISTINCT t.tgname || ' on ' || n.nspname || '.' || c.relname, n.nspname || '.' ||"
           " c.relname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
           " JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE"
           " NOT t.tgisinternal AND t.tgname NOT LIKE 'shardway\\_%'"
           " AND strpos(p.prosrc, $1) > 0 ORDER BY 1",
           {bare}});
  bool clean = true;
  for (std::size_t row = 0; row < found.size(); ++row) {
    if (find(checked, found.text(row, 1))) continue;
    clean = false;
    checked.warn("trigger_into", std::string(found.text(row, 0)),
                 "its function names " + table.table + ": the write guard will refuse what it writes there",
                 "move that write into the application");
  }
  if (clean) checked.pass("trigger_into", table.table, "no trigger of another table names it");
}

void check_ids(context const& checked, table_manifest const& table, std::string const& qualified) {
  auto const found = ask(
      checked, "ids",
      {"SELECT a.attname, format('%I.%I', n.nspname, c.relname) FROM pg_attribute a JOIN (SELECT d.refobjid"
       " AS relation, d.refobjsubid AS attnum, d.objid AS sequence"
       " FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND"
       " d.refobjsubid > 0 AND d.deptype IN ('a', 'i') UNION"
       " SELECT f.adrelid, f.adnum, d.refobjid FROM pg_attrdef f JOIN pg_depend d ON d.classid ="
       " 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass) u"
       " ON u.relation = a.attrelid AND u.attnum = a.attnum JOIN pg_class c ON c.oid = u.sequence AND"
       " c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace"
       " WHERE a.attrelid = to_regclass($1) ORDER BY 1",
       {qualified}});
  bool const interleaved = table.ids == id_strategy_kind::interleaved;
  if (table.kind == table_kind::reference)
    return checked.pass("ids", table.table, "a reference table is written on the source only");
  if (interleaved && found.empty())
    return checked.fail("ids", table.table, "the manifest says interleaved, and no column has a sequence",
                        "ids: EXTERNAL in the manifest");
  if (interleaved && table.id_stride <= checked.migration.shards.size())
    return checked.fail("ids", table.table, "id_stride is not above the number of shards",
                        "id_stride: 64 in the manifest");
  if (!interleaved && !found.empty())
    return checked.fail("ids", table.table,
                        "column " + std::string(found.text(0, 0)) + " takes its values from sequence " +
                            std::string(found.text(0, 1)) + ": each node would give the same ids",
                        "ids: INTERLEAVED in the manifest, or drop the column's default");
  checked.pass("ids", table.table,
               interleaved ? "sequences step by the stride" : "the application gives them");
}

}  // namespace

void check_links(context const& checked, table_manifest const& table) {
  auto const qualified = names::quoted_table(table.table);
  check_foreign_keys(checked, table, qualified);
  check_triggers(checked, table, qualified);
  check_outside_triggers(checked, table);
  check_ids(checked, table, qualified);
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
