-- On the source: writes the old place of a row whose shard key changes to the outbox (operation k), so that
-- the stream takes the row away from its old shard.
CREATE OR REPLACE FUNCTION {{function}}()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{quote}}
DECLARE
  held record;
BEGIN
  SELECT epoch, is_open INTO held
  FROM {{fence}}
  WHERE slot_from <= {{old_slot}}
    AND slot_to >= {{old_slot}};
  IF NOT held.is_open THEN
    RAISE EXCEPTION 'shardway: the old shard key of a row of % has moved', TG_TABLE_NAME
      USING ERRCODE = 'SW004';
  END IF;
  INSERT INTO shardway.outbox (
    version, write_id, ordinal, epoch, relation, slot, operation, key_values, shard_key_values
  )
  VALUES (
    shardway.row_version(held.epoch, pg_current_wal_insert_lsn()),
    gen_random_uuid(),
    0,
    held.epoch,
    {{name}},
    {{old_slot}},
    'k',
    ARRAY[{{old_key}}],
    ARRAY[{{old_shard_key}}]
  );
  RETURN NULL;
END {{quote}};
REVOKE ALL ON FUNCTION {{function}}() FROM PUBLIC;
-- A partition that is made or attached later gets the trigger in the name of who does it, who must be allowed
-- to call the function.
DO {{quote}}
BEGIN
  EXECUTE (
    SELECT pg_catalog.format('GRANT EXECUTE ON FUNCTION %s() TO %I', {{function_name}}, pg_get_userbyid(relowner))
    FROM pg_catalog.pg_class
    WHERE oid = {{table_name}}::regclass
  );
END {{quote}};
CREATE TRIGGER shardway_key_change
AFTER UPDATE OF {{columns}} ON {{table}}
FOR EACH ROW
WHEN ({{changed}})
EXECUTE FUNCTION {{function}}();
