#include "lib/migrate/onboard/reached.hpp"

#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

// `reached`: the tables, what they depend on, and what belongs to them (defaults, constraints, triggers,
// indexes, sequences of columns). The walk ends at what an extension made and at tables that stay behind,
// which foreign keys lead to.
std::string const reached_cte =
    "WITH RECURSIVE ours AS (SELECT DISTINCT coalesce(t.relid::oid, c.oid) AS oid FROM unnest($1::text[]) AS "
    "n (name) JOIN pg_class c ON c.oid = to_regclass(n.name) LEFT JOIN LATERAL pg_partition_tree(c.oid) t ON "
    "true),"
    " reached (classid, objid) AS (SELECT 'pg_class'::regclass::oid, oid FROM ours"
    " UNION SELECT e.classid, e.objid FROM reached r CROSS JOIN LATERAL ("
    "  SELECT d.refclassid AS classid, d.refobjid AS objid FROM pg_depend d WHERE d.classid = r.classid AND "
    "d.objid = r.objid AND d.deptype <> 'e' AND d.refclassid <> 'pg_namespace'::regclass"
    "  UNION ALL SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = r.classid AND d.refobjid = "
    "r.objid AND d.deptype IN ('a', 'i') AND r.classid IN ('pg_class'::regclass, 'pg_type'::regclass, "
    "'pg_constraint'::regclass) AND d.classid IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass, "
    "'pg_trigger'::regclass, 'pg_class'::regclass)"
    "  UNION ALL SELECT 'pg_type'::regclass, t.typelem FROM pg_type t WHERE r.classid = 'pg_type'::regclass "
    "AND t.oid = r.objid AND t.typelem <> 0) e"
    " WHERE NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = r.classid AND x.objid = r.objid AND "
    "x.deptype = 'e')"
    " AND NOT (r.classid = 'pg_class'::regclass AND EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = r.objid "
    "AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) AND r.objid NOT IN (SELECT oid FROM ours)))";

constexpr std::string_view schemas_sql =
    " SELECT DISTINCT quote_ident(n.nspname) FROM (SELECT c.relnamespace AS oid FROM pg_class c JOIN ours "
    "USING (oid)"
    " UNION SELECT d.refobjid FROM reached r JOIN pg_depend d ON d.classid = r.classid AND d.objid = r.objid "
    "AND d.refclassid = 'pg_namespace'::regclass WHERE NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid "
    "= r.classid AND x.objid = r.objid AND x.deptype = 'e')"
    " AND NOT (r.classid = 'pg_class'::regclass AND EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = r.objid "
    "AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) AND r.objid NOT IN (SELECT oid FROM ours))) used"
    " JOIN pg_namespace n ON n.oid = used.oid WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', "
    "'shardway', 'shardway_stale') ORDER BY 1";

constexpr std::string_view extensions_sql =
    " SELECT DISTINCT e.extname, n.nspname FROM reached r JOIN pg_depend d ON d.classid = r.classid AND "
    "d.objid = r.objid AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_namespace n ON "
    "n.oid = e.extnamespace ORDER BY 1";

}  // namespace

result<reached_objects> find_reached(session& source, std::vector<table_state> const& tables) {
  auto const names = table_array(tables);
  BOOST_OUTCOME_TRY(auto const schemas, source.query({reached_cte + std::string(schemas_sql), {names}}));
  BOOST_OUTCOME_TRY(auto const extensions,
                    source.query({reached_cte + std::string(extensions_sql), {names}}));
  reached_objects out{.schemas = column_of(schemas, 0), .extensions = {}};
  for (std::size_t row = 0; row < extensions.size(); ++row)
    out.extensions.push_back({std::string(extensions.text(row, 0)), std::string(extensions.text(row, 1))});
  return out;
}

result<> require_extensions(session& shard, std::vector<used_extension> const& extensions) {
  std::vector<std::string> missing, fixes;
  for (auto const& extension : extensions) {
    BOOST_OUTCOME_TRY(
        auto const found,
        shard.query({"SELECT 1 FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE "
                     "e.extname = $1 AND n.nspname = $2",
                     {extension.name, extension.schema}}));
    if (!found.empty()) continue;
    missing.push_back(extension.name + " in schema " + extension.schema);
    fixes.push_back("CREATE EXTENSION " + names::quoted(extension.name) + " SCHEMA " +
                    names::quoted(extension.schema) + ';');
  }
  if (missing.empty()) return success();
  auto const& node = shard.identity().name;
  return error{error_code::precondition_failed,
               "the tables use what node " + node + " lacks: extension " + joined(missing),
               "as administrator on that node: " + joined(fixes, " ")}
      .at_node(node);
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
