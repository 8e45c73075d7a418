-- The server does not publish the TRUNCATE of one partition (publish_via_partition_root). So a trigger on each
-- partition that stores rows tells the stream of it, in the same transaction and where only we may write.
CREATE OR REPLACE FUNCTION shardway.record_leaf_truncate()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  INSERT INTO shardway.marker (wave)
  SELECT
    'truncate '
    || ARRAY[format('%s.%s', n.nspname, c.relname), format('%s.%s', TG_TABLE_SCHEMA, TG_TABLE_NAME)]::text
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = pg_partition_root(TG_RELID);
  RETURN NULL;
END $f$;
-- Nobody else may put it on a table of theirs: it would speak in our name.
REVOKE ALL ON FUNCTION shardway.record_leaf_truncate() FROM PUBLIC;
