-- The guarded apply of one row. The locks come first, of the key (W7) and of the table, for which a TRUNCATE
-- waits (W10); then the checks in statements with newer snapshots (W8).
-- search_path holds no schema of a user, so format_type wrote the types qualified (P2).
CREATE OR REPLACE FUNCTION {{function}}(
  p_write_id uuid,
  p_ordinal int,
  p_version bigint,
  p_slot int,
  p_remove boolean,
  p_key text[],
  p_image text[]
)
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
AS {{quote}}
DECLARE
  held record;
  applied pg_lsn;
BEGIN
  PERFORM pg_advisory_xact_lock(shardway.key_lock_class({{name}}), shardway.key_lock_bucket(p_key));
  -- Before progress is read: a TRUNCATE is then before or after all of this.
  LOCK TABLE {{table}} IN ROW EXCLUSIVE MODE;
  PERFORM 1
  FROM {{fence_lock}}
  WHERE false
  FOR KEY SHARE;
  SELECT epoch, is_open INTO held
  FROM {{fence}}
  WHERE slot_from <= p_slot
    AND slot_to >= p_slot;
  IF held.is_open THEN
    RETURN 'authority';
  END IF;
  IF held.epoch IS DISTINCT FROM (p_version >> 53)::int THEN
    RETURN 'other_epoch';
  END IF;
  SELECT applied_lsn INTO applied
  FROM shardway.stream_progress
  WHERE stream = 'source'
  ORDER BY id DESC
  LIMIT 1;
  IF p_version <= shardway.row_version(held.epoch, applied) THEN
    RETURN 'delivered';
  END IF;
  IF p_remove THEN
    DELETE FROM {{table}} AS t
    WHERE {{key_match}}
      AND t._shardway_version <= p_version;
  ELSE
    INSERT INTO {{table}} AS t ({{columns}}, _shardway_version)
    OVERRIDING SYSTEM VALUE
    SELECT
      {{values}},
      p_version
    ON CONFLICT ({{key}}) DO UPDATE
    SET
      {{updates}}
    WHERE t._shardway_version < excluded._shardway_version;
  END IF;
  IF NOT FOUND THEN
    RETURN 'newer_present';
  END IF;
  INSERT INTO shardway.dual_applied (write_id, ordinal)
  VALUES (p_write_id, p_ordinal);
  RETURN 'applied';
END {{quote}};
REVOKE ALL ON FUNCTION {{function}}(uuid, int, bigint, int, boolean, text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {{function}}(uuid, int, bigint, int, boolean, text[], text[]) TO {{application_role}};
