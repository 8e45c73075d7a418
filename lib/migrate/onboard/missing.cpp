#include "lib/migrate/onboard/missing.hpp"

#include <algorithm>

#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/grantees.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

using kind_type = missing_object::kind_type;

// Objects by name, as either node has them. Columns: kind, what, root table, name. Constraints and indexes of
// partitions come with their parent's.
constexpr std::string_view objects_sql =
    ", relations AS (SELECT c.oid, c.relkind, c.relacl, c.relowner, format('%I.%I', n.nspname, c.relname) AS "
    "name, (SELECT format('%s.%s', rn.nspname, r.relname) FROM pg_class r JOIN pg_namespace rn ON rn.oid = "
    "r.relnamespace WHERE r.oid = ours.root) AS root FROM ours JOIN pg_class c USING (oid) JOIN pg_namespace "
    "n "
    "ON n.oid = c.relnamespace),"
    " roles AS (SELECT r.oid, r.rolname FROM unnest($2::text[]) AS w (name) JOIN pg_roles r ON r.rolname = "
    "w.name),"
    " sequences AS (SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, r.root FROM relations r "
    "JOIN "
    "pg_depend d ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid "
    "= "
    "r.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') JOIN pg_class c ON c.oid = d.objid AND "
    "c.relkind "
    "= 'S' JOIN pg_namespace n ON n.oid = c.relnamespace UNION SELECT c.oid, format('%I.%I', n.nspname, "
    "c.relname), r.root FROM relations r JOIN pg_attrdef f ON f.adrelid = r.oid JOIN pg_depend d ON "
    "d.classid "
    "= 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass JOIN pg_class c ON "
    "c.oid = d.refobjid AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace)"
    " SELECT 'foreign_key', 'foreign key ' || k.conname || ' of ' || r.name, r.root, k.conname FROM "
    "relations "
    "r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'f' AND k.conparentid = 0"
    " UNION SELECT 'constraint', 'constraint ' || k.conname || ' of ' || r.name, r.root, k.conname FROM "
    "relations r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype IN ('p', 'u', 'x', 'c') AND "
    "k.conparentid = 0 AND k.coninhcount = 0"
    " UNION SELECT 'index', 'index ' || quote_ident(x.relname) || ' of ' || r.name, r.root, x.relname FROM "
    "relations r JOIN pg_index i ON i.indrelid = r.oid AND i.indisvalid JOIN pg_class x ON x.oid = "
    "i.indexrelid WHERE NOT x.relispartition"
    " UNION SELECT 'trigger', 'trigger ' || t.tgname || ' of ' || r.name, r.root, t.tgname FROM relations r "
    "JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled <> "
    "'R' JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace pn ON pn.oid = p.pronamespace AND pn.nspname "
    "NOT IN ('shardway', 'shardway_stale')"
    " UNION SELECT 'right', format('right %s on %s of role %s', g.privilege, r.name, a.rolname), r.root, "
    "a.rolname FROM relations r CROSS JOIN roles a CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', "
    "'DELETE', 'TRUNCATE']) AS g (privilege) WHERE has_table_privilege(a.oid, r.oid, g.privilege)"
    " UNION SELECT 'right', format('right USAGE on %s of role %s', s.name, a.rolname), s.root, a.rolname "
    "FROM "
    "sequences s CROSS JOIN roles a WHERE has_sequence_privilege(a.oid, s.oid, 'USAGE')"
    " UNION SELECT 'other_right', format('right %s on %s of role %s', g.privilege_type, r.name, "
    "coalesce(o.rolname, 'PUBLIC')), r.root, o.rolname FROM relations r CROSS JOIN LATERAL "
    "aclexplode(r.relacl) g LEFT JOIN pg_roles o ON o.oid = g.grantee WHERE g.privilege_type <> 'MAINTAIN' "
    "AND "
    "g.grantee <> r.relowner AND o.rolname <> ALL ($2::text[])"
    " UNION SELECT 'view', 'view ' || format('%I.%I', vn.nspname, v.relname), r.root, v.relname FROM "
    "relations "
    "r JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid AND d.classid = "
    "'pg_rewrite'::regclass JOIN pg_rewrite w ON w.oid = d.objid JOIN pg_class v ON v.oid = w.ev_class AND "
    "v.relkind IN ('v', 'm') JOIN pg_namespace vn ON vn.oid = v.relnamespace ORDER BY 2";

struct found_object {
  std::string kind, what, root, name;
};

result<std::vector<found_object>> read_objects(session& node, std::string const& tables,
                                               std::string const& roles) {
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({std::string(ours_cte) + std::string(objects_sql), {tables, roles}}));
  std::vector<found_object> out;
  for (std::size_t row = 0; row < found.size(); ++row)
    out.push_back({std::string(found.text(row, 0)), std::string(found.text(row, 1)),
                   std::string(found.text(row, 2)), std::string(found.text(row, 3))});
  return out;
}

kind_type kind_of(found_object const& object) {
  if (object.kind == "foreign_key") return kind_type::foreign_key;
  return object.kind == "view" || object.kind == "other_right" ? kind_type::left_behind : kind_type::other;
}

bool is_left_out(found_object const& object, std::vector<table_state> const& tables) {
  for (auto const& table : tables) {
    if (table.manifest.table != object.root) continue;
    if (object.kind == "foreign_key") return contains(table.manifest.drop_foreign_keys, object.name);
    if (object.kind == "trigger") return table.manifest.triggers == trigger_policy::source_only;
  }
  return false;
}

}  // namespace

result<std::vector<missing_object>> missing_on_shard(session& source, session& shard,
                                                     migration_manifest const& migration,
                                                     std::vector<table_state> const& tables) {
  auto const names = table_array(tables);
  auto const roles = text_array(application_roles(migration));
  BOOST_OUTCOME_TRY(auto const wanted, read_objects(source, names, roles));
  BOOST_OUTCOME_TRY(auto const there, read_objects(shard, names, roles));
  std::vector<missing_object> out;
  for (auto const& object : wanted) {
    bool const is_there = std::any_of(there.begin(), there.end(),
                                      [&](found_object const& other) { return other.what == object.what; });
    if (!is_there && !is_left_out(object, tables)) out.push_back({kind_of(object), object.what});
  }
  return out;
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
