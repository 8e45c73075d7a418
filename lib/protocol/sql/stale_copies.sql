-- The rows of these tables live on shards for good. What is left of them here refuses writes without shardway.
-- All of it belongs to the owners of the tables, so that the roles of the migration can be dropped.
DO $shardway$
DECLARE
  stale record;
  owner_of_schema name;
BEGIN
  FOR stale IN
    SELECT
      c.oid,
      c.oid::regclass AS relation,
      format('refuse_%s', c.oid) AS function,
      pg_catalog.pg_get_userbyid(c.relowner) AS owner
    FROM pg_catalog.unnest({{tables}}::text[]) AS t (name)
    JOIN LATERAL (
      SELECT pg_catalog.to_regclass(t.name)::oid AS oid
      UNION
      SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(t.name))
    ) leaf ON true
    JOIN pg_catalog.pg_class c ON c.oid = leaf.oid
  LOOP
    IF to_regnamespace('shardway_stale') IS NULL THEN
      CREATE SCHEMA shardway_stale;
    END IF;
    EXECUTE format(
      $create$
      CREATE OR REPLACE FUNCTION shardway_stale.%I() RETURNS trigger LANGUAGE plpgsql AS $f$
      BEGIN
        RAISE EXCEPTION 'table %%.%% is a stale copy: its rows were moved to shards', TG_TABLE_SCHEMA, TG_TABLE_NAME
          USING
            ERRCODE = '25006',
            HINT = format('write on the shard of the row; to write here all the same, DROP TRIGGER '
              'shardway_stale_copy ON %%I.%%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
      END $f$
      $create$,
      stale.function
    );
    EXECUTE format('DROP TRIGGER IF EXISTS shardway_stale_copy ON %s', stale.relation);
    EXECUTE format(
      'CREATE TRIGGER shardway_stale_copy BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s '
      'FOR EACH STATEMENT EXECUTE FUNCTION shardway_stale.%I()',
      stale.relation, stale.function
    );
    EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER shardway_stale_copy', stale.relation);
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA shardway_stale TO %I', stale.owner);
    EXECUTE format('ALTER FUNCTION shardway_stale.%I() OWNER TO %I', stale.function, stale.owner);
    owner_of_schema := stale.owner;
  END LOOP;
  IF owner_of_schema IS NOT NULL THEN
    EXECUTE format('ALTER SCHEMA shardway_stale OWNER TO %I', owner_of_schema);
  END IF;
END $shardway$;
