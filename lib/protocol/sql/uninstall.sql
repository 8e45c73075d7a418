-- Found by what is there, not by the manifest: a crash may have left any part of it.
{{stale_copies}}DO $shardway$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT
      t.tgname AS name,
      t.tgrelid::regclass AS relation
    FROM pg_catalog.pg_trigger t
    WHERE (t.tgname IN ('shardway_guard', 'shardway_key_change', 'shardway_leaf_truncate') OR t.tgname LIKE 'shardway\_capture%')
      AND t.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', found.name, found.relation);
  END LOOP;
  FOR found IN
    SELECT
      c.oid::regclass AS index,
      i.indrelid::regclass AS relation
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    WHERE c.relname LIKE 'shardway\_identity\_%'
  LOOP
    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT', found.relation);
    EXECUTE format('DROP INDEX %s', found.index);
  END LOOP;
  IF to_regclass('shardway.sequence_increment') IS NOT NULL THEN
    FOR found IN
      EXECUTE 'SELECT to_regclass(sequence) AS sequence, increment FROM shardway.sequence_increment'
    LOOP
      IF found.sequence IS NOT NULL THEN
        EXECUTE format('ALTER SEQUENCE %s INCREMENT BY %s', found.sequence, found.increment);
      END IF;
    END LOOP;
  END IF;
{{version_columns}}END $shardway$;
DROP PUBLICATION IF EXISTS {{publication}};
DROP SCHEMA IF EXISTS shardway CASCADE;
