#include "lib/migrate/preflight/object_queries.hpp"

#include <absl/strings/str_cat.h>

#include "lib/migrate/onboard/sql.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight::object_queries {
namespace {

// Objects that pg_dump brings along with their schema.
constexpr char in_schemas_cte[] = R"sql(
, in_schemas AS (
  SELECT 'pg_type'::regclass::oid AS classid, t.oid AS objid, t.typnamespace AS namespace, t.typowner AS owner, 'schema' AS use
    FROM pg_type t LEFT JOIN pg_class r ON r.oid = t.typrelid WHERE (t.typrelid = 0 OR r.relkind = 'c') AND t.typcategory <> 'A'
  UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace, proowner, 'routine' FROM pg_proc
  UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace, oprowner, 'schema' FROM pg_operator
  UNION ALL SELECT 'pg_opclass'::regclass, oid, opcnamespace, opcowner, 'schema' FROM pg_opclass
  UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfnamespace, opfowner, 'schema' FROM pg_opfamily
  UNION ALL SELECT 'pg_collation'::regclass, oid, collnamespace, collowner, 'schema' FROM pg_collation
  UNION ALL SELECT 'pg_conversion'::regclass, oid, connamespace, conowner, 'schema' FROM pg_conversion
  UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgnamespace, cfgowner, 'schema' FROM pg_ts_config
  UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictnamespace, dictowner, 'schema' FROM pg_ts_dict
  UNION ALL SELECT 'pg_ts_parser'::regclass, oid, prsnamespace, 0, 'schema' FROM pg_ts_parser
  UNION ALL SELECT 'pg_ts_template'::regclass, oid, tmplnamespace, 0, 'schema' FROM pg_ts_template)
)sql";

// What is the server's own is not in pg_depend, or of type 'p' before 14. What an extension brings needs that
// extension and no more. A type's constraints and a family's members depend on it, not it on them.
constexpr char tables_start_cte[] = R"sql(
, start_of_tables AS (
  SELECT 'pg_class'::regclass::oid AS classid, oid AS objid, 'column' AS use, root AS origin, 'pg_class'::regclass::oid AS origin_class
    FROM ours
  UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, CASE WHEN a.attgenerated <> '' THEN 'generated' ELSE 'default' END, o.root,
    'pg_class'::regclass FROM ours o JOIN pg_attrdef d ON d.adrelid = o.oid
    JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = d.adnum
  UNION ALL SELECT 'pg_constraint'::regclass, k.oid, CASE k.contype WHEN 'c' THEN 'check' ELSE 'key' END, o.root, 'pg_class'::regclass
    FROM ours o JOIN pg_constraint k ON k.conrelid = o.oid AND k.contype <> 'f'
  UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, 'index', o.root, 'pg_class'::regclass
    FROM ours o JOIN pg_index i ON i.indrelid = o.oid
  UNION ALL SELECT 'pg_trigger'::regclass, g.oid, 'trigger', o.root, 'pg_class'::regclass
    FROM ours o JOIN pg_trigger g ON g.tgrelid = o.oid WHERE NOT g.tgisinternal AND g.tgname NOT LIKE 'shardway\_%')
)sql";

// Every schema that the tables reach; which of them onboarding brings along is decided later.
constexpr char schemas_start_cte[] = R"sql(
, reached_schemas AS (SELECT n.oid, n.nspname FROM pg_namespace n WHERE n.oid IN (SELECT objid FROM from_tables
    WHERE classid = 'pg_namespace'::regclass) AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'shardway'))
, start_of_schemas AS (SELECT s.classid, s.objid, s.use, s.objid AS origin, s.classid AS origin_class FROM in_schemas s
  WHERE s.namespace IN (SELECT oid FROM reached_schemas)
    AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = s.classid AND x.objid = s.objid AND x.deptype = 'e'))
)sql";

// A common table expression `name` that walks pg_depend from those in `start`.
std::string walk(std::string const& name, std::string const& start) {
  return absl::StrCat(", ", name, R"sql( (classid, objid, use, origin, origin_class, is_start) AS (
  SELECT classid, objid, use, origin, origin_class, true FROM )sql",
                      start, R"sql(
  UNION SELECT e.refclassid, e.refobjid, r.use, r.origin, r.origin_class, false FROM )sql",
                      name, R"sql( r CROSS JOIN LATERAL (
    SELECT d.refclassid, d.refobjid FROM pg_depend d WHERE d.classid = r.classid AND d.objid = r.objid AND d.deptype <> 'p'
      AND (d.deptype = 'e' OR NOT EXISTS
        (SELECT FROM pg_depend x WHERE x.classid = r.classid AND x.objid = r.objid AND x.deptype = 'e'))
      AND (r.is_start OR r.classid <> 'pg_class'::regclass
        OR EXISTS (SELECT FROM pg_class c WHERE c.oid = r.objid AND c.relkind IN ('c', 'i', 'I', 'S')))
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k WHERE r.classid = 'pg_type'::regclass AND k.contypid = r.objid
    UNION ALL SELECT 'pg_class'::regclass, t.typrelid FROM pg_type t WHERE r.classid = 'pg_type'::regclass AND t.oid = r.objid AND t.typrelid <> 0
    UNION ALL SELECT 'pg_amop'::regclass, m.oid FROM pg_amop m WHERE r.classid = 'pg_opfamily'::regclass AND m.amopfamily = r.objid
    UNION ALL SELECT 'pg_amproc'::regclass, m.oid FROM pg_amproc m WHERE r.classid = 'pg_opfamily'::regclass AND m.amprocfamily = r.objid) e
  WHERE r.classid NOT IN ('pg_namespace'::regclass, 'pg_am'::regclass, 'pg_extension'::regclass)))sql");
}

// An object of a schema has a row for each schema that it is reached from, beside the one from the tables.
constexpr char reached_select[] = R"sql(
 SELECT f.class, i.type, i.identity, coalesce(i.schema, ''), coalesce((SELECT e.extname FROM pg_depend x JOIN pg_extension e
     ON e.oid = x.refobjid WHERE x.classid = f.classid AND x.objid = f.objid AND x.deptype = 'e'
     AND x.refclassid = 'pg_extension'::regclass LIMIT 1), ''),
   f.uses, f.by_table, (SELECT identity FROM pg_identify_object(f.origin_class, f.origin, 0)),
   (SELECT n.nspname FROM pg_namespace n WHERE n.oid = f.objid AND f.classid = 'pg_namespace'::regclass), coalesce(f.origin_schema, '')
 FROM (SELECT classid, objid, classid::regclass::text AS class, by_table, origin_schema, array_agg(DISTINCT use)::text AS uses,
     bool_or(bool_or(is_start)) OVER (PARTITION BY classid, objid) AS is_start,
     (array_agg(origin ORDER BY origin))[1] AS origin, (array_agg(origin_class ORDER BY origin))[1] AS origin_class
   FROM (SELECT *, true AS by_table, NULL::name AS origin_schema FROM from_tables
     UNION ALL SELECT w.*, false, n.nspname FROM from_schemas w JOIN in_schemas s ON s.classid = w.origin_class AND s.objid = w.origin
       JOIN pg_namespace n ON n.oid = s.namespace) r
   GROUP BY classid, objid, by_table, origin_schema) f CROSS JOIN LATERAL pg_identify_object(f.classid, f.objid, 0) i
 WHERE f.classid NOT IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_trigger'::regclass, 'pg_amop'::regclass,
     'pg_amproc'::regclass)
   AND (f.classid <> 'pg_class'::regclass OR (NOT f.is_start AND EXISTS (SELECT FROM pg_class c WHERE c.oid = f.objid AND c.relkind NOT IN ('i', 'I', 'S', 't', 'c'))))
   AND NOT (f.classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class r ON r.oid = t.typrelid
     WHERE t.oid = f.objid AND (t.typcategory = 'A' AND t.typelem <> 0 OR r.relkind <> 'c')))
   AND i.identity IS NOT NULL ORDER BY 2, 3, f.by_table DESC, 10)sql";

std::string with_ours(std::string_view rest) { return std::string(onboard::ours_cte) + std::string(rest); }

}  // namespace

std::string reached() {
  std::string ours(onboard::ours_cte);
  return absl::StrCat("WITH RECURSIVE", ours.substr(ours.find(' ')), in_schemas_cte, tables_start_cte,
                      walk("from_tables", "start_of_tables"), schemas_start_cte,
                      walk("from_schemas", "start_of_schemas"), reached_select);
}

std::string schemas_of_tables() {
  return with_ours(
      R"sql( SELECT n.nspname, bool_or(used.is_table), bool_or(NOT used.is_table) FROM (
    SELECT c.relnamespace AS oid, true AS is_table FROM ours JOIN pg_class c USING (oid)
    UNION ALL SELECT coalesce(e.typnamespace, t.typnamespace), false FROM ours
      JOIN pg_attribute a ON a.attrelid = ours.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typlen = -1 WHERE NOT EXISTS (SELECT FROM pg_depend x
        WHERE x.classid = 'pg_type'::regclass AND x.objid = coalesce(e.oid, t.oid) AND x.deptype = 'e')) used
  JOIN pg_namespace n ON n.oid = used.oid WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'shardway')
  GROUP BY 1 ORDER BY 1)sql");
}

std::string unknown() {
  return with_ours(
      R"sql( SELECT DISTINCT format('%s.%s', n.nspname, c.relname), format('%I.%I', n.nspname, c.relname),
    pg_describe_object(d.classid, d.objid, d.objsubid), d.classid::regclass::text
  FROM ours JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = ours.oid
  JOIN pg_class c ON c.oid = ours.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE d.classid::regclass::text NOT IN ('pg_class', 'pg_attrdef', 'pg_constraint', 'pg_trigger', 'pg_rewrite', 'pg_policy',
    'pg_statistic_ext', 'pg_type', 'pg_publication_rel', 'pg_proc') ORDER BY 1, 3)sql");
}

std::string triggers() {
  return with_ours(
      R"sql( SELECT format('%s.%s', n.nspname, c.relname), format('%s.%s', rn.nspname, r.relname),
    format('%I.%I', n.nspname, c.relname), g.tgname, (SELECT identity FROM pg_identify_object('pg_proc'::regclass, g.tgfoid, 0)),
    g.tgenabled, coalesce((SELECT p.tgenabled FROM pg_trigger p WHERE p.oid = g.tgparentid)::text, ' '),
    g.tgtype & 3 = 3, g.tgisinternal, coalesce((SELECT conname FROM pg_constraint k WHERE k.oid = g.tgconstraint), ''),
    encode(g.tgargs, 'escape')
  FROM ours JOIN pg_trigger g ON g.tgrelid = ours.oid JOIN pg_class c ON c.oid = g.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class r ON r.oid = ours.root JOIN pg_namespace rn ON rn.oid = r.relnamespace
  WHERE (NOT g.tgisinternal OR g.tgenabled <> 'O') AND g.tgname NOT LIKE 'shardway\_%' ORDER BY 1, 4)sql");
}

std::string shapes() {
  return with_ours(
      R"sql( SELECT format('%s.%s', n.nspname, c.relname), format('%s.%s', rn.nspname, r.relname),
    format('%I.%I', n.nspname, c.relname), c.relkind, c.relrowsecurity, c.relforcerowsecurity,
    (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid), coalesce(s.spcname, ''),
    coalesce(nullif(a.amname, 'heap'), ''), n.nspname, pg_get_userbyid(c.relowner), pg_has_role(c.relowner, n.nspowner, 'USAGE')
  FROM ours JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class r ON r.oid = ours.root JOIN pg_namespace rn ON rn.oid = r.relnamespace
  LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace LEFT JOIN pg_am a ON a.oid = c.relam ORDER BY 1)sql");
}

std::string columns() {
  std::string ours(onboard::ours_cte);
  return absl::StrCat("WITH RECURSIVE", ours.substr(ours.find(' ')), R"sql(
, inside (relation, attnum, typid, modifier) AS (
  SELECT a.attrelid, a.attnum, a.atttypid, a.atttypmod FROM ours JOIN pg_attribute a ON a.attrelid = ours.oid
    WHERE ours.oid = ours.root AND a.attnum > 0 AND NOT a.attisdropped
  UNION SELECT i.relation, i.attnum, e.typid, e.modifier FROM inside i JOIN pg_type t ON t.oid = i.typid CROSS JOIN LATERAL (
    SELECT t.typelem AS typid, i.modifier WHERE t.typelem <> 0 AND t.typcategory = 'A'
    UNION ALL SELECT t.typbasetype, t.typtypmod WHERE t.typtype = 'd'
    UNION ALL SELECT a.atttypid, a.atttypmod FROM pg_attribute a WHERE a.attrelid = t.typrelid AND t.typrelid <> 0
      AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT r.rngsubtype, -1 FROM pg_range r WHERE r.rngtypid = t.oid) e (typid, modifier))
SELECT DISTINCT format('%s.%s', n.nspname, c.relname), format('%I.%I', n.nspname, c.relname), a.attname,
  format_type(a.atttypid, a.atttypmod), t.typname
FROM inside i JOIN pg_type t ON t.oid = i.typid JOIN pg_class c ON c.oid = i.relation JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = i.relation AND a.attnum = i.attnum
WHERE (t.typnamespace = 'pg_catalog'::regnamespace AND (t.typname IN ('oid', 'oidvector', 'xid', 'xid8', 'cid', 'tid', 'txid_snapshot',
    'pg_snapshot', 'aclitem', 'pg_lsn') OR t.typname LIKE 'reg%'))
  OR (t.typname = 'lo' AND t.typbasetype = 'oid'::regtype) ORDER BY 1, 3, 5)sql");
}

std::string small_lists() {
  return with_ours(
      R"sql( SELECT l.kind, coalesce(n.nspname || '.' || c.relname, ''),
    coalesce(quote_ident(n.nspname) || '.' || quote_ident(c.relname), ''), l.name, l.detail
  FROM (
  SELECT 'rule' AS kind, ours.oid AS relation, rulename::text AS name, '' AS detail FROM ours JOIN pg_rewrite w ON w.ev_class = ours.oid
    WHERE w.rulename <> '_RETURN'
  UNION ALL SELECT DISTINCT 'rule_elsewhere', w.ev_class, w.rulename::text, '' FROM ours JOIN pg_depend d
    ON d.refclassid = 'pg_class'::regclass AND d.refobjid = ours.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite w ON w.oid = d.objid JOIN pg_class t ON t.oid = w.ev_class
    WHERE w.ev_class NOT IN (SELECT oid FROM ours) AND w.rulename <> '_RETURN'
  UNION ALL SELECT 'statistics', ours.oid, format('%I.%I', sn.nspname, s.stxname), '' FROM ours JOIN pg_statistic_ext s
    ON s.stxrelid = ours.oid JOIN pg_namespace sn ON sn.oid = s.stxnamespace
  UNION ALL SELECT 'constraint_table', g.tgrelid, g.tgname, format('%s.%s', fn.nspname, f.relname) FROM ours JOIN pg_trigger g
    ON g.tgrelid = ours.oid AND NOT g.tgisinternal AND g.tgconstrrelid <> 0 JOIN pg_class f ON f.oid = g.tgconstrrelid
    JOIN pg_namespace fn ON fn.oid = f.relnamespace WHERE g.tgconstrrelid NOT IN (SELECT oid FROM ours)
  UNION ALL SELECT 'default', ours.oid, a.attname, pg_get_expr(d.adbin, d.adrelid) FROM ours JOIN pg_attrdef d ON d.adrelid = ours.oid
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE ours.oid = ours.root
  UNION ALL SELECT 'policy', ours.oid, p.polname, '' FROM ours JOIN pg_policy p ON p.polrelid = ours.oid
  UNION ALL SELECT 'compression', ours.oid, a.attname, to_jsonb(a) ->> 'attcompression' FROM ours JOIN pg_attribute a
    ON a.attrelid = ours.oid WHERE to_jsonb(a) ->> 'attcompression' = 'l'
  UNION ALL SELECT 'security_label', ours.oid, s.provider, '' FROM ours JOIN pg_seclabel s ON s.classoid = 'pg_class'::regclass
    AND s.objoid = ours.oid
  UNION ALL SELECT 'extension_table', ours.oid, e.extname, '' FROM ours JOIN pg_depend x ON x.classid = 'pg_class'::regclass
    AND x.objid = ours.oid AND x.deptype = 'e' JOIN pg_extension e ON e.oid = x.refobjid
  UNION ALL SELECT 'text_partitions', ours.oid, a.attname, '' FROM ours JOIN pg_partitioned_table p ON p.partrelid = ours.oid
    AND p.partstrat = 'r' JOIN pg_attribute a ON a.attrelid = ours.oid AND a.attnum = ANY (p.partattrs::int2[]) AND a.attcollation <> 0
  UNION ALL SELECT 'view', v.oid, '', CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END FROM (
    WITH RECURSIVE views (oid) AS (SELECT w.ev_class FROM ours JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass
        AND d.refobjid = ours.oid AND d.classid = 'pg_rewrite'::regclass JOIN pg_rewrite w ON w.oid = d.objid
      UNION SELECT w.ev_class FROM views JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = views.oid
        AND d.classid = 'pg_rewrite'::regclass JOIN pg_rewrite w ON w.oid = d.objid)
    SELECT c.oid, c.relkind FROM views JOIN pg_class c USING (oid) WHERE c.relkind IN ('v', 'm')) v
  UNION ALL SELECT 'default_privileges', NULL, pg_get_userbyid(a.defaclrole), coalesce(dn.nspname, '') FROM pg_default_acl a
    LEFT JOIN pg_namespace dn ON dn.oid = a.defaclnamespace WHERE a.defaclobjtype = 'r' AND (a.defaclnamespace = 0 OR a.defaclnamespace IN
      (SELECT relnamespace FROM pg_class WHERE oid IN (SELECT oid FROM ours)))
  UNION ALL SELECT 'dictionary_file', NULL, format('%I.%I', dn.nspname, d.dictname), d.dictinitoption FROM pg_ts_dict d
    JOIN pg_namespace dn ON dn.oid = d.dictnamespace WHERE d.oid >= 16384
    AND d.dictinitoption ~* '(dictfile|afffile|synonyms|stopwords|rules) *=' AND d.dictnamespace IN
      (SELECT relnamespace FROM pg_class WHERE oid IN (SELECT oid FROM ours))
  ) l LEFT JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2, 4)sql");
}

std::string grants() {
  return with_ours(
      R"sql( SELECT g.role, g.privileges, g.kind || ' ' || string_agg(DISTINCT g.name, ', ') FROM (
  SELECT r.rolname AS role, t.kind, t.name, string_agg(DISTINCT x.privilege_type || t.columns, ', ') AS privileges FROM (
    SELECT 'TABLE' AS kind, format('%I.%I', n.nspname, c.relname) AS name, c.relacl AS acl, '' AS columns, c.relowner AS owner
      FROM ours JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
    UNION ALL SELECT 'TABLE', format('%I.%I', n.nspname, c.relname), a.attacl, format(' (%I)', a.attname), c.relowner
      FROM ours JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
    UNION ALL SELECT DISTINCT 'SCHEMA', quote_ident(n.nspname), n.nspacl, '', n.nspowner FROM ours JOIN pg_class c USING (oid)
      JOIN pg_namespace n ON n.oid = c.relnamespace) t
  CROSS JOIN LATERAL aclexplode(t.acl) x JOIN pg_roles r ON r.oid = x.grantee
  WHERE x.grantee <> t.owner AND x.privilege_type <> 'MAINTAIN' AND r.rolname <> ALL ($2::text[]) AND r.rolname NOT LIKE 'pg\_%'
  GROUP BY 1, 2, 3) g GROUP BY g.role, g.kind, g.privileges ORDER BY 1, 3)sql");
}

std::string owners() {
  return absl::StrCat(std::string(onboard::ours_cte), in_schemas_cte,
                      ", carried AS (SELECT oid FROM pg_namespace WHERE nspname = ANY ($2::text[]))", R"sql(
  SELECT pg_get_userbyid(o.owner), min(o.identity) FROM (
    SELECT n.nspowner AS owner, 'schema ' || n.nspname AS identity FROM carried JOIN pg_namespace n USING (oid) WHERE n.nspname <> 'public'
    UNION ALL SELECT c.relowner, format('%s.%s', n.nspname, c.relname) FROM ours JOIN pg_class c USING (oid)
      JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ours.oid <> ours.root
    UNION ALL SELECT s.owner, (SELECT i.type || ' ' || i.identity FROM pg_identify_object(s.classid, s.objid, 0) i) FROM in_schemas s
      WHERE s.namespace IN (SELECT oid FROM carried) AND s.owner <> 0 AND NOT EXISTS (SELECT FROM pg_depend x
        WHERE x.classid = s.classid AND x.objid = s.objid AND x.deptype = 'e')) o WHERE o.owner NOT IN (SELECT relowner FROM pg_class WHERE oid IN
      (SELECT root FROM ours)) GROUP BY o.owner ORDER BY 1)sql");
}

std::string subscriptions() {
  return with_ours(
      R"sql( SELECT DISTINCT format('%s.%s', n.nspname, c.relname), format('%I.%I', n.nspname, c.relname),
    coalesce((SELECT min(s.subname) FROM pg_stat_subscription s WHERE s.subid = r.srsubid), r.srsubid::text)
  FROM ours JOIN pg_subscription_rel r ON r.srrelid = ours.oid JOIN pg_class c ON c.oid = ours.oid
  JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1)sql");
}

std::string_view const routines = R"sql(
SELECT i.identity, n.nspname, p.proname, l.lanname, CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN p.prosrc ELSE '' END,
  coalesce((SELECT substr(c, 13) FROM unnest(p.proconfig) c WHERE c LIKE 'search\_path=%'), ''), p.prosecdef,
  EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_proc'::regclass AND x.objid = p.oid AND x.deptype = 'e')
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
CROSS JOIN LATERAL pg_identify_object('pg_proc'::regclass, p.oid, 0) i
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'shardway'))sql";

std::string relations() {
  return with_ours(
      R"sql( SELECT n.nspname, c.relname, c.oid IN (SELECT oid FROM ours) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'shardway')
  AND n.nspname NOT LIKE 'pg\_temp%' AND n.nspname NOT LIKE 'pg\_toast%')sql");
}

std::string_view const has_large_objects = "SELECT EXISTS (SELECT FROM pg_largeobject_metadata)";

std::string_view const extensions =
    "SELECT e.extname, e.extversion, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = "
    "e.extnamespace";

std::string_view const available_versions =
    "SELECT name, version FROM pg_available_extension_versions WHERE name = ANY ($1::text[])";

std::string_view const schemas = "SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace";

std::string_view const roles = "SELECT rolname FROM pg_roles";

std::string_view const overrides = R"sql(
SELECT s.setdatabase <> 0, coalesce(r.rolname, ''), split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND (s.setrole = 0 OR r.rolname = ANY ($1::text[])) ORDER BY 3, 1, 2)sql";

std::string_view const server_settings =
    "SELECT name, reset_val FROM pg_settings WHERE name = ANY ($1::text[])";

// Columns that only some versions have are read through jsonb.
std::string_view const locale = R"sql(
SELECT d.datname, d.datcollate::text, d.datctype::text, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
  coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', ''),
  coalesce((SELECT min(pg_collation_actual_version(c.oid)) FROM pg_collation c WHERE c.collprovider = 'c'
    AND c.collcollate::text = d.datcollate::text), '')
FROM pg_database d WHERE d.datname = current_database())sql";

std::string_view const collations = R"sql(
SELECT i.identity, coalesce(c.collcollate::text, to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', ''),
  coalesce(pg_collation_actual_version(c.oid), '')
FROM pg_collation c CROSS JOIN LATERAL pg_identify_object('pg_collation'::regclass, c.oid, 0) i
WHERE i.identity = ANY ($1::text[]))sql";

// The digest holds what pg_dump writes and what no two versions spell in two ways.
std::string_view const definitions = R"sql(
WITH objects AS (
  SELECT 'pg_type'::regclass::oid AS classid, t.oid AS objid, t.typnamespace AS namespace, md5(CASE t.typtype
    WHEN 'e' THEN (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)
    WHEN 'd' THEN concat_ws('|', format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
      (SELECT string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid), '|' ORDER BY k.conname) FROM pg_constraint k
        WHERE k.contypid = t.oid AND k.contype = 'c'))
    WHEN 'c' THEN (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ',' ORDER BY a.attnum)
      FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
    WHEN 'r' THEN (SELECT format_type(r.rngsubtype, -1) FROM pg_range r WHERE r.rngtypid = t.oid) END) AS digest
    FROM pg_type t WHERE t.typcategory <> 'A'
  UNION ALL SELECT 'pg_proc'::regclass, p.oid, p.pronamespace, md5(concat_ws('|', p.prosrc, p.provolatile, p.proisstrict, p.prosecdef,
    p.proretset, p.prokind, p.proconfig::text, (SELECT lanname FROM pg_language l WHERE l.oid = p.prolang),
    format_type(p.prorettype, -1), p.proargnames::text)) FROM pg_proc p
  UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace, '' FROM pg_operator
  UNION ALL SELECT 'pg_opclass'::regclass, oid, opcnamespace, '' FROM pg_opclass
  UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfnamespace, '' FROM pg_opfamily
  UNION ALL SELECT 'pg_collation'::regclass, oid, collnamespace, '' FROM pg_collation
  UNION ALL SELECT 'pg_conversion'::regclass, oid, connamespace, '' FROM pg_conversion
  UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgnamespace, '' FROM pg_ts_config
  UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictnamespace, '' FROM pg_ts_dict
  UNION ALL SELECT 'pg_ts_parser'::regclass, oid, prsnamespace, '' FROM pg_ts_parser
  UNION ALL SELECT 'pg_ts_template'::regclass, oid, tmplnamespace, '' FROM pg_ts_template
  UNION ALL SELECT 'pg_class'::regclass, oid, relnamespace, '' FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION ALL SELECT 'pg_language'::regclass, oid, NULL, '' FROM pg_language
  UNION ALL SELECT 'pg_am'::regclass, oid, NULL, '' FROM pg_am
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, NULL, '' FROM pg_foreign_data_wrapper
  UNION ALL SELECT 'pg_foreign_server'::regclass, oid, NULL, '' FROM pg_foreign_server)
SELECT i.type, i.identity, o.digest FROM objects o LEFT JOIN pg_namespace n ON n.oid = o.namespace
CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, 0) i
WHERE (o.namespace IS NULL OR n.nspname = ANY ($1::text[])) AND (o.objid >= 12000 OR o.namespace IS NULL) AND i.identity IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = o.classid AND x.objid = o.objid AND x.deptype = 'e'))sql";

// A cast belongs to no schema: pg_dump of schemas leaves it behind.
std::string_view const casts = R"sql(
SELECT i.identity, format('CREATE CAST (%s AS %s) %s%s', format_type(c.castsource, -1), format_type(c.casttarget, -1), CASE c.castmethod
    WHEN 'f' THEN format('WITH FUNCTION %s', c.castfunc::regprocedure) WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
  CASE c.castcontext WHEN 'i' THEN ' AS IMPLICIT' WHEN 'a' THEN ' AS ASSIGNMENT' ELSE '' END),
  (SELECT array_agg(DISTINCT n.nspname)::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.oid IN (c.castsource, c.casttarget))
FROM pg_cast c CROSS JOIN LATERAL pg_identify_object('pg_cast'::regclass, c.oid, 0) i
WHERE c.oid >= 16384 AND NOT EXISTS
  (SELECT FROM pg_depend x WHERE x.classid = 'pg_cast'::regclass AND x.objid = c.oid AND x.deptype = 'e'))sql";

std::string_view const event_triggers = R"sql(
SELECT e.evtname FROM pg_event_trigger e WHERE e.evtenabled <> 'D' AND e.evtname NOT LIKE 'shardway\_%' AND NOT EXISTS
  (SELECT FROM pg_depend x WHERE x.classid = 'pg_event_trigger'::regclass AND x.objid = e.oid AND x.deptype = 'e'))sql";

std::string_view const compressions =
    "SELECT unnest(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'";

// Superusers are members of every role.
std::string_view const memberships =
    "SELECT r.rolname FROM pg_roles m JOIN pg_roles r ON pg_has_role(m.oid, r.oid, 'USAGE') WHERE m.rolname "
    "= $1";

std::string_view const schema_creators = R"sql(
SELECT n.nspname, r.rolname, r.rolsuper FROM pg_namespace n JOIN pg_roles r ON r.rolname = ANY ($1::text[])
  AND has_schema_privilege(r.oid, n.oid, 'CREATE'))sql";

}  // namespace migrate::preflight::object_queries
}  // namespace v0
}  // namespace shardway
