DROP FUNCTION IF EXISTS {{function}}(uuid, int, bigint, int, boolean, text[], text[]);
DROP TRIGGER IF EXISTS shardway_key_change ON {{table}};
DO {{quote}}
DECLARE
  leaf record;
BEGIN
  FOR leaf IN
    SELECT
      i.indexrelid::regclass AS index,
      i.indrelid::regclass AS relation
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    WHERE c.relname LIKE 'shardway\_identity\_%'
      AND i.indrelid IN (
        SELECT coalesce(t.relid, r.oid)
        FROM pg_catalog.pg_class r
        LEFT JOIN LATERAL pg_catalog.pg_partition_tree(r.oid) t ON true
        WHERE r.oid = {{table_name}}::regclass
      )
  LOOP
    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT', leaf.relation);
    EXECUTE format('DROP INDEX %s', leaf.index);
  END LOOP;
END {{quote}};
ALTER TABLE {{table}} DROP COLUMN IF EXISTS _shardway_version;
