#include "lib/migrate/preflight/facts_sql.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

// The wanted tables with all their partitions. By name and not by to_regclass, which a schema without USAGE
// would make fail for all.
std::string_view const facts_cte = R"sql(
WITH RECURSIVE wanted AS (
  SELECT n.place, c.oid
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (schema_name, table_name, place)
  JOIN pg_namespace s ON s.nspname = n.schema_name
  JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = n.table_name
),
ours (place, oid, parent, level) AS (
  SELECT place, oid, NULL::oid, 0 FROM wanted
  UNION ALL
  SELECT o.place, i.inhrelid, o.oid, o.level + 1
  FROM ours o
  JOIN pg_inherits i ON i.inhparent = o.oid
  JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
)
)sql";

std::string_view const relations_sql = R"sql(
SELECT o.place, o.level, s.nspname || '.' || c.relname, pg_get_userbyid(c.relowner), c.relkind,
  c.relpersistence, c.relreplident, c.relispartition,
  EXISTS (
    SELECT 1 FROM pg_inherits h
    WHERE (h.inhrelid = c.oid AND NOT c.relispartition) OR (h.inhparent = c.oid AND c.relkind = 'r')
  ),
  c.reloftype <> 0, coalesce(pg_get_expr(c.relpartbound, c.oid), ''), coalesce(pg_get_partkeydef(c.oid), ''),
  {detaching},
  CASE WHEN c.relreplident = 'f' THEN ARRAY(
    SELECT a.attname::text FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  ) ELSE (
    SELECT array_agg(a.attname::text ORDER BY k.place)
    FROM pg_index x
    CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
    JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
    WHERE x.indrelid = c.oid AND x.indisvalid AND x.indisunique AND x.indimmediate AND x.indpred IS NULL
      AND k.place <= x.indnkeyatts
      AND ((c.relreplident = 'd' AND x.indisprimary) OR (c.relreplident = 'i' AND x.indisreplident))
  ) END
FROM ours o
JOIN pg_class c ON c.oid = o.oid
JOIN pg_namespace s ON s.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = o.oid AND i.inhparent = o.parent
ORDER BY o.place, o.level, 3
)sql";

// F1. Each node checks a domain's constraints by itself. For the slot only the type under the domain matters,
// and for an enum its label.
std::string_view const columns_sql = R"sql(
SELECT o.place, a.attname, format_type(a.atttypid, a.atttypmod), under.type, under.is_enum,
  'c' IN (t.typtype, coalesce(e.typtype, 'b')), a.attnotnull, coalesce(l.collisdeterministic, true),
  a.attidentity, a.attgenerated, a.attstorage, coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
  CASE WHEN d.oid IS NULL THEN ARRAY[]::oid[] ELSE ARRAY(
    SELECT p.refobjid FROM pg_depend p
    WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_proc'::regclass
  ) END,
  CASE WHEN a.attstorage <> 'p' AND EXISTS (
    SELECT 1 FROM pg_index x WHERE x.indrelid = a.attrelid AND x.indisprimary AND a.attnum = ANY (x.indkey::int2[])
  ) THEN (
    SELECT max(s.avg_width) FROM pg_stats s
    WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
  ) END
FROM ours o
JOIN pg_class c ON c.oid = o.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typlen = -1
LEFT JOIN pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN LATERAL (
  SELECT 'text' AS type, true AS is_enum WHERE t.typtype = 'e'
  UNION ALL
  SELECT format_type(a.atttypid, a.atttypmod), false WHERE t.typtype NOT IN ('d', 'e')
  UNION ALL
  SELECT format_type(base.oid, base.modifier), base.typtype = 'e'
  FROM (
    WITH RECURSIVE chain AS (
      SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, a.atttypmod AS modifier
      UNION ALL
      SELECT b.oid, b.typtype, b.typbasetype, b.typtypmod, u.typtypmod
      FROM chain u
      JOIN pg_type b ON b.oid = u.typbasetype
      WHERE u.typtype = 'd'
    )
    SELECT oid, typtype, modifier FROM chain WHERE typtype <> 'd'
  ) base
  WHERE t.typtype = 'd'
) under
WHERE o.level = 0
ORDER BY o.place, a.attnum
)sql";

// A key column of an index is `same` where two values that are equal in the index are one value: no
// expression, a deterministic collation, an equality of PostgreSQL's own.
std::string_view const indexes_sql = R"sql(
SELECT o.place, o.level, s.nspname || '.' || c.relname, i.relname, coalesce(k.conname, ''), x.indisprimary,
  x.indisexclusion, x.indimmediate, x.indisvalid, x.indisready, coalesce(k.condeferrable, false),
  x.indisreplident, {nulls}, coalesce(pg_get_expr(x.indpred, x.indrelid), ''), keys.names, keys.same
FROM ours o
JOIN pg_class c ON c.oid = o.oid
JOIN pg_namespace s ON s.oid = c.relnamespace
JOIN pg_index x ON x.indrelid = o.oid
JOIN pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x') AND k.conrelid = x.indrelid
CROSS JOIN LATERAL (
  SELECT
    array_agg(coalesce(a.attname::text, '') ORDER BY g.place) AS names,
    array_agg((
      a.attname IS NOT NULL AND coalesce(l.collisdeterministic, true) AND CASE WHEN k.conexclop IS NULL
        THEN q.opcnamespace = 'pg_catalog'::regnamespace
        ELSE EXISTS (
          SELECT 1 FROM pg_operator r
          WHERE r.oid = k.conexclop[g.place] AND r.oprname = '=' AND r.oprnamespace = 'pg_catalog'::regnamespace
        ) END
    )::text ORDER BY g.place) AS same
  FROM generate_series(1, x.indnkeyatts::int) AS g (place)
  LEFT JOIN pg_attribute a
    ON a.attrelid = x.indrelid AND a.attnum = x.indkey[g.place - 1] AND x.indkey[g.place - 1] <> 0
  LEFT JOIN pg_collation l ON l.oid = x.indcollation[g.place - 1]
  LEFT JOIN pg_opclass q ON q.oid = x.indclass[g.place - 1]
) keys
WHERE (x.indisunique OR x.indisexclusion) AND (o.level = 0 OR NOT i.relispartition)
ORDER BY o.place, o.level, 3, 4
)sql";

std::string_view const differences_sql = R"sql(
SELECT o.place, s.nspname || '.' || c.relname, d.what, d.is_generated
FROM ours o
JOIN pg_class c ON c.oid = o.oid
JOIN pg_namespace s ON s.oid = c.relnamespace
JOIN wanted w ON w.place = o.place
CROSS JOIN LATERAL (
  SELECT 'column ' || a.attname || ': ' || concat_ws(', ',
      CASE WHEN a.attgenerated <> r.attgenerated OR (a.attgenerated <> '' AND v.own IS DISTINCT FROM v.root)
        THEN 'generated otherwise' END,
      CASE WHEN a.attgenerated = '' AND r.attgenerated = '' AND v.own IS DISTINCT FROM v.root
        THEN 'another default' END,
      CASE WHEN a.attnotnull <> r.attnotnull THEN 'NOT NULL on one of them only' END,
      CASE WHEN a.attidentity <> '' AND a.attidentity <> r.attidentity THEN 'an identity of its own' END,
      CASE WHEN a.attcollation <> r.attcollation THEN 'another collation' END) AS what,
    a.attgenerated <> r.attgenerated OR (a.attgenerated <> '' AND v.own IS DISTINCT FROM v.root) AS is_generated
  FROM pg_attribute r
  JOIN pg_attribute a ON a.attrelid = o.oid AND a.attname = r.attname AND NOT a.attisdropped
  LEFT JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
  LEFT JOIN pg_attrdef rd ON rd.adrelid = r.attrelid AND rd.adnum = r.attnum
  CROSS JOIN LATERAL (
    SELECT pg_get_expr(ad.adbin, ad.adrelid) AS own, pg_get_expr(rd.adbin, rd.adrelid) AS root
  ) v
  WHERE r.attrelid = w.oid AND r.attnum > 0 AND NOT r.attisdropped
    AND (a.attgenerated <> r.attgenerated OR a.attnotnull <> r.attnotnull OR a.attcollation <> r.attcollation
      OR (a.attidentity <> '' AND a.attidentity <> r.attidentity) OR v.own IS DISTINCT FROM v.root)
  UNION ALL
  SELECT 'check constraint ' || k.conname, false
  FROM pg_constraint k
  WHERE k.conrelid = o.oid AND k.contype = 'c' AND k.coninhcount = 0
) d
WHERE o.level > 0
ORDER BY o.place, 2, 3
)sql";

std::string_view const foreign_keys_sql = R"sql(
SELECT k.conname, n.nspname || '.' || c.relname, rn.nspname || '.' || r.relname,
  ln.nspname || '.' || lc.relname, lrn.nspname || '.' || lr.relname,
  ARRAY(
    SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (attnum, place)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.place
  ),
  ARRAY(
    SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (attnum, place)
    JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.place
  ),
  k.confdeltype, k.confupdtype, k.convalidated, {enforced}, pg_get_constraintdef(k.oid)
FROM pg_constraint k
JOIN pg_class lc ON lc.oid = k.conrelid
JOIN pg_namespace ln ON ln.oid = lc.relnamespace
JOIN pg_class lr ON lr.oid = k.confrelid
JOIN pg_namespace lrn ON lrn.oid = lr.relnamespace
JOIN pg_class c ON c.oid = coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid)
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = coalesce(pg_partition_root(k.confrelid)::oid, k.confrelid)
JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
  AND (k.conrelid IN (SELECT oid FROM ours) OR k.confrelid IN (SELECT oid FROM ours))
ORDER BY 2, 1, 4
)sql";

std::string_view const triggers_sql = R"sql(
SELECT t.tgname, rn.nspname || '.' || r.relname, n.nspname || '.' || c.relname, t.tgfoid
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = coalesce(pg_partition_root(t.tgrelid)::oid, t.tgrelid)
JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE NOT t.tgisinternal AND t.tgparentid = 0
ORDER BY 1, 3
)sql";

std::string_view const functions_sql = R"sql(
SELECT p.oid, n.nspname || '.' || p.proname, coalesce(e.extname, ''), coalesce({body}, p.prosrc, ''),
  n.nspname = 'shardway'
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_depend d
  ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass
  AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 2, 1
)sql";

std::string_view const sequences_sql = R"sql(
SELECT n.nspname, c.relname, q.seqincrement, q.seqmin, q.seqmax, q.seqcycle, p.is_readable,
  CASE WHEN p.is_readable THEN pg_sequence_last_value(c.oid) END,
  coalesce(rn.nspname || '.' || r.relname, ''), coalesce(a.attname, ''),
  coalesce(format_type(a.atttypid, NULL), ''), coalesce(u.is_owner, false)
FROM pg_sequence q
JOIN pg_class c ON c.oid = q.seqrelid AND c.relpersistence <> 't'
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT,USAGE') AS is_readable
) p
LEFT JOIN (
  SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attnum, true AS is_owner
  FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
    AND d.deptype IN ('a', 'i')
  UNION ALL
  SELECT DISTINCT d.refobjid, f.adrelid, f.adnum::int, false
  FROM pg_attrdef f
  JOIN pg_depend d
    ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
) u ON u.sequence = c.oid
LEFT JOIN pg_class r ON r.oid = coalesce(pg_partition_root(u.relation)::oid, u.relation)
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.attnum
ORDER BY 1, 2, 9, 10
)sql";

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
