// Reads the shapes of tables: a fixed number of queries in one round trip. The server's texts must depend on
// no setting of a session, so that two nodes can be compared.
#include <map>

#include "lib/migrate/nodes/run_all.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/migrate/onboard/table_shape.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

constexpr std::string_view settings_sql =
    "SET LOCAL search_path = pg_catalog; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, MDY'; "
    "SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; "
    "SET LOCAL lc_monetary = 'C'; SET LOCAL quote_all_identifiers = off";

// `ours`: the tables of $1 (quoted) with all their partitions; $2 holds the same names as the manifest has
// them.
constexpr std::string_view ours_sql = R"sql(WITH RECURSIVE ours AS (
  SELECT
    n.plain AS table_name,
    r.oid AS root,
    coalesce(t.relid::oid, r.oid) AS oid,
    t.parentrelid::oid AS parent,
    coalesce(t.level, 0) AS level,
    c.relkind,
    format('%s.%s', s.nspname, c.relname) AS relation,
    format('%I.%I', s.nspname, c.relname) AS quoted
  FROM unnest($1::text[], $2::text[]) AS n (quoted, plain)
  JOIN pg_class r ON r.oid = to_regclass(n.quoted) AND r.relkind IN ('r', 'p')
  LEFT JOIN LATERAL pg_partition_tree(r.oid) t ON true
  JOIN pg_class c ON c.oid = coalesce(t.relid::oid, r.oid)
  JOIN pg_namespace s ON s.oid = c.relnamespace
)
)sql";

constexpr std::string_view trees_sql = R"sql(
SELECT
  o.table_name,
  md5(string_agg(o.oid || ':' || coalesce(i.xmin::text, ''), ',' ORDER BY o.oid))
FROM ours o
LEFT JOIN pg_inherits i ON i.inhrelid = o.oid AND o.oid <> o.root
GROUP BY o.table_name)sql";

// Base types as the generation has them: of a domain the type under it, of an enum text.
constexpr std::string_view generation_columns_sql = R"sql(
SELECT
  o.table_name,
  a.attname,
  format_type(a.atttypid, a.atttypmod),
  a.attgenerated <> '',
  a.attnotnull,
  CASE WHEN p.typtype IN ('d', 'e') THEN (
    WITH RECURSIVE under AS (
      SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, a.atttypmod AS modifier
      FROM pg_type t
      WHERE t.oid = a.atttypid
      UNION ALL
      SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, u.typtypmod
      FROM under u
      JOIN pg_type t ON t.oid = u.typbasetype
      WHERE u.typtype = 'd'
    )
    SELECT CASE WHEN oid = a.atttypid THEN 'text' ELSE format_type(oid, modifier) END
    FROM under
    WHERE typtype <> 'd'
  ) ELSE '' END
FROM ours o
JOIN pg_attribute a ON a.attrelid = o.oid
JOIN pg_type p ON p.oid = a.atttypid
WHERE o.oid = o.root AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> $3
ORDER BY o.table_name, a.attnum)sql";

// Every query of objects: table, relation, name, definition, SQL that makes it, more.
constexpr std::string_view relations_sql = R"sql(
SELECT
  o.table_name,
  o.relation,
  '',
  concat_ws(
    ' ',
    CASE WHEN o.oid <> o.root THEN
      'a partition of ' || o.parent::regclass || ' ' || pg_get_expr(c.relpartbound, c.oid)
    ELSE 'a table' END,
    CASE WHEN c.relkind = 'p' THEN 'partitioned by ' || pg_get_partkeydef(c.oid) END
  ),
  CASE WHEN o.oid <> o.root AND c.relkind IN ('r', 'p') THEN
    'CREATE TABLE IF NOT EXISTS ' || o.quoted || ' PARTITION OF ' || o.parent::regclass || ' '
    || pg_get_expr(c.relpartbound, c.oid)
    || coalesce(' PARTITION BY ' || CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, '')
    || '; ALTER TABLE ' || o.quoted || ' OWNER TO ' || quote_ident(pg_get_userbyid(c.relowner)) || ';'
  ELSE '' END,
  ''
FROM ours o
JOIN pg_class c ON c.oid = o.oid
ORDER BY o.level, o.relation)sql";

constexpr std::string_view storage_sql = R"sql(
SELECT
  o.table_name,
  o.relation,
  '',
  CASE WHEN c.relkind = 'f' THEN 'a foreign table' WHEN c.relpersistence <> 'p' THEN 'unlogged' ELSE 'permanent' END,
  '',
  ''
FROM ours o
JOIN pg_class c ON c.oid = o.oid
WHERE c.relkind <> 'p')sql";

// Of a partition only the columns that differ from the table's own. A collation, default or identity that a
// manifest's generation does not hold is here.
constexpr std::string_view column_objects_sql = R"sql(
, described AS (
  SELECT
    o.table_name,
    o.root,
    o.oid,
    o.relation,
    o.quoted,
    a.attnum,
    a.attname,
    a.attidentity,
    concat_ws(
      ' ',
      format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::regcollation END,
      CASE a.attgenerated
        WHEN 's' THEN 'GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ') STORED'
        WHEN 'v' THEN 'GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ')'
        ELSE 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
      END,
      CASE WHEN a.attnotnull THEN 'NOT NULL' END
    ) AS definition
  FROM ours o
  JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> $3
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
)
SELECT
  c.table_name,
  c.relation,
  c.attname,
  c.definition || CASE WHEN c.oid <> c.root THEN '' WHEN c.attidentity = 'a' THEN ' GENERATED ALWAYS AS IDENTITY'
    WHEN c.attidentity = 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY' ELSE '' END,
  CASE WHEN c.oid = c.root THEN
    'ALTER TABLE ' || c.quoted || ' ADD COLUMN ' || quote_ident(c.attname) || ' ' || c.definition
  ELSE '' END,
  ''
FROM described c
LEFT JOIN described r ON r.oid = c.root AND r.attname = c.attname AND r.table_name = c.table_name
WHERE c.oid = c.root OR c.definition IS DISTINCT FROM r.definition
ORDER BY c.attnum)sql";

constexpr std::string_view types_sql = R"sql(
, reached (table_name, oid) AS (
  SELECT o.table_name, a.atttypid
  FROM ours o
  JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE o.oid = o.root
  UNION
  SELECT r.table_name, x.oid
  FROM reached r
  JOIN pg_type p ON p.oid = r.oid
  CROSS JOIN LATERAL (
    SELECT p.typelem WHERE p.typelem <> 0
    UNION ALL
    SELECT p.typbasetype WHERE p.typbasetype <> 0
    UNION ALL
    SELECT a.atttypid FROM pg_attribute a
    WHERE p.typtype = 'c' AND a.attrelid = p.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = p.oid
  ) x (oid)
)
SELECT
  r.table_name,
  '',
  format_type(p.oid, NULL),
  CASE p.typtype
    WHEN 'e' THEN (
      SELECT 'ENUM (' || string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) || ')'
      FROM pg_enum e
      WHERE e.enumtypid = p.oid
    )
    WHEN 'd' THEN concat_ws(
      ' ',
      format_type(p.typbasetype, p.typtypmod),
      CASE WHEN p.typnotnull THEN 'NOT NULL' END,
      'DEFAULT ' || p.typdefault,
      (
        SELECT string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname)
        FROM pg_constraint k
        WHERE k.contypid = p.oid AND k.contype = 'c'
      )
    )
    ELSE (
      SELECT '(' || string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) || ')'
      FROM pg_attribute a
      WHERE a.attrelid = p.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    )
  END,
  '',
  ''
FROM reached r
JOIN pg_type p ON p.oid = r.oid
WHERE p.typtype IN ('e', 'd', 'c'))sql";

// Those of partitions that come with their parent's are left out, and the one that shards have of us for the
// values of an older source.
constexpr std::string_view constraints_sql = R"sql(
SELECT
  o.table_name,
  o.relation,
  k.conname,
  pg_get_constraintdef(k.oid),
  'ALTER TABLE ' || o.quoted || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid),
  ''
FROM ours o
JOIN pg_constraint k ON k.conrelid = o.oid
WHERE k.contype IN ('p', 'u', 'x', 'c') AND k.conparentid = 0 AND (o.oid = o.root OR k.coninhcount = 0)
  AND k.conname <> 'shardway_source_holds'
ORDER BY k.conname)sql";

constexpr std::string_view foreign_key_objects_sql = R"sql(
SELECT
  o.table_name,
  o.relation,
  k.conname,
  pg_get_constraintdef(k.oid),
  'ALTER TABLE ' || o.quoted || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid),
  format('%s.%s', s.nspname, c.relname)
FROM ours o
JOIN pg_constraint k ON k.conrelid = o.oid
JOIN pg_class c ON c.oid = k.confrelid
JOIN pg_namespace s ON s.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0
ORDER BY k.conname)sql";

constexpr std::string_view indexes_sql = R"sql(
SELECT
  o.table_name,
  o.relation,
  c.relname,
  pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (not valid)' END,
  pg_get_indexdef(i.indexrelid),
  CASE WHEN i.indisunique THEN 'unique' ELSE '' END
FROM ours o
JOIN pg_index i ON i.indrelid = o.oid
JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT c.relispartition
  AND c.relname NOT LIKE 'shardway\_identity\_%'
  AND NOT EXISTS (
    SELECT 1
    FROM pg_constraint k
    WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
  )
ORDER BY c.relname)sql";

constexpr std::string_view trigger_objects_sql = R"sql(
SELECT
  o.table_name,
  o.relation,
  t.tgname,
  pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'D' THEN ' (disabled)' WHEN 'R' THEN ' (for replicas only)'
    ELSE '' END,
  pg_get_triggerdef(t.oid),
  t.tgenabled
FROM ours o
JOIN pg_trigger t ON t.tgrelid = o.oid
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname NOT LIKE 'shardway\_%'
ORDER BY t.tgname)sql";

// A deferrable primary key, an index that is not valid or was dropped: none names a row.
constexpr std::string_view identities_sql = R"sql(
SELECT
  o.table_name,
  o.relation,
  '',
  CASE c.relreplident WHEN 'd' THEN 'the primary key' WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL'
    ELSE 'an index' END,
  '',
  coalesce((
    SELECT array_agg(a.attname ORDER BY a.attnum)
    FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = o.oid
      AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
      AND i.indimmediate
      AND i.indisvalid
  ), '{}')::text
FROM ours o
JOIN pg_class c ON c.oid = o.oid
WHERE c.relkind = 'r')sql";

constexpr std::string_view guards_sql = R"sql(
SELECT
  o.table_name,
  o.relation,
  '',
  coalesce((
    SELECT p.proname
    FROM pg_trigger t
    JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = o.oid AND t.tgname = 'shardway_guard' AND t.tgenabled = 'A'
  ), ''),
  '',
  ''
FROM ours o
WHERE o.relkind = 'r' OR o.oid = o.root)sql";

constexpr std::string_view captures_sql = R"sql(
SELECT
  o.table_name,
  o.relation,
  '',
  coalesce((
    SELECT string_agg(t.tgname, ' ' ORDER BY t.tgname)
    FROM pg_trigger t
    WHERE t.tgrelid = o.oid AND t.tgname LIKE 'shardway\_capture%' AND t.tgenabled = 'A'
  ), ''),
  '',
  ''
FROM ours o
WHERE o.relkind = 'r' OR o.oid = o.root)sql";

constexpr std::string_view truncate_triggers_sql = R"sql(
SELECT
  o.table_name,
  o.relation,
  '',
  coalesce((
    SELECT t.tgname::text
    FROM pg_trigger t
    WHERE t.tgrelid = o.oid AND t.tgname = 'shardway_leaf_truncate' AND t.tgenabled = 'A'
  ), ''),
  '',
  ''
FROM ours o
WHERE o.relkind = 'r' AND o.oid <> o.root)sql";

struct object_query {
  shape_kind kind;
  std::string_view sql;
};

constexpr object_query object_queries[] = {
    {shape_kind::relation, relations_sql},
    {shape_kind::storage, storage_sql},
    {shape_kind::column, column_objects_sql},
    {shape_kind::type, types_sql},
    {shape_kind::constraint, constraints_sql},
    {shape_kind::index, indexes_sql},
    {shape_kind::foreign_key, foreign_key_objects_sql},
    {shape_kind::trigger, trigger_objects_sql},
    {shape_kind::replica_identity, identities_sql},
    {shape_kind::guard, guards_sql},
    {shape_kind::capture, captures_sql},
    {shape_kind::truncate_trigger, truncate_triggers_sql},
};

using shapes_by_table = std::map<std::string, table_shape*, std::less<>>;

void take_columns(rows const& found, shapes_by_table const& shapes) {
  for (std::size_t row = 0; row < found.size(); ++row)
    if (auto const shape = shapes.find(found.text(row, 0)); shape != shapes.end())
      shape->second->columns.push_back({std::string(found.text(row, 1)), std::string(found.text(row, 2)),
                                        found.boolean(row, 3), found.boolean(row, 4),
                                        std::string(found.text(row, 5))});
}

void take_objects(shape_kind kind, rows const& found, shapes_by_table const& shapes) {
  for (std::size_t row = 0; row < found.size(); ++row) {
    auto const shape = shapes.find(found.text(row, 0));
    if (shape == shapes.end()) continue;
    auto const text = [&](std::size_t column) { return std::string(found.text(row, column)); };
    bool const is_unique = kind == shape_kind::index && found.text(row, 5) == "unique";
    shape->second->objects.push_back({.kind = is_unique ? shape_kind::unique_index : kind,
                                      .relation = text(1),
                                      .name = text(2),
                                      .definition = text(3),
                                      .create = text(4),
                                      .more = text(5)});
  }
}

void take_trees(rows const& found, shapes_by_table const& shapes) {
  for (std::size_t row = 0; row < found.size(); ++row)
    if (auto const shape = shapes.find(found.text(row, 0)); shape != shapes.end()) {
      shape->second->exists = true;
      shape->second->tree = found.text(row, 1);
    }
}

}  // namespace

result<std::vector<table_shape>> read_table_shapes(session& node, std::vector<table_state> const& tables) {
  std::vector<table_shape> shapes;
  std::vector<std::string> names;
  for (auto const& table : tables) names.push_back(table.manifest.table);
  for (auto const& name : names) shapes.push_back({.table = name});
  if (tables.empty()) return shapes;
  shapes_by_table known;
  for (auto& shape : shapes) known.emplace(shape.table, &shape);

  auto const query = [&](std::string_view sql) {
    return statement{std::string(ours_sql).append(sql), {table_array(tables), text_array(names)}};
  };
  auto const query_columns = [&](std::string_view sql) {
    return statement{std::string(ours_sql).append(sql),
                     {table_array(tables), text_array(names), std::string(names::version_column)}};
  };
  BOOST_OUTCOME_TRYV(
      node.simple(std::string("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ").append(settings_sql)));
  std::vector<statement> statements{query(trees_sql), query_columns(generation_columns_sql)};
  for (auto const& one : object_queries)
    statements.push_back(one.kind == shape_kind::column ? query_columns(one.sql) : query(one.sql));
  auto const answers = nodes::run_all(node, statements);
  BOOST_OUTCOME_TRYV(node.simple("ROLLBACK"));
  if (!answers) return answers.error().while_doing("reading the shape of tables");
  auto const& found = answers.value();
  take_trees(found[0], known);
  take_columns(found[1], known);
  for (std::size_t i = 0; i < std::size(object_queries); ++i)
    take_objects(object_queries[i].kind, found[i + 2], known);
  return shapes;
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
