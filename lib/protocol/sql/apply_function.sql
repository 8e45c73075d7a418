-- The guarded apply of one row. The locks come first, of the key (W7) and of the table, for which a TRUNCATE
-- waits (W10); then the checks in statements with newer snapshots (W8).
-- It trusts no slot that it is given: where this node has authority for any slot, the row's own slot decides
-- (AP10, AP15). It does nothing that its caller may not do to the table.
-- search_path holds no schema of a user, so format_type wrote the types qualified (P2). Variables are named
-- with the block's label, so that no column can hide them.
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
#variable_conflict use_column
<<apply>>
DECLARE
  held record;
  applied pg_lsn;
  split boolean;
  version bigint := p_version;
  key text[] := p_key;
  image text[] := p_image;
  caller name := coalesce(nullif(current_setting('role'), 'none'), session_user);
BEGIN
  IF NOT (
    CASE
      WHEN p_remove THEN has_table_privilege(apply.caller, {{table_name}}::regclass, 'DELETE')
      ELSE
        has_any_column_privilege(apply.caller, {{table_name}}::regclass, 'INSERT')
        OR has_any_column_privilege(apply.caller, {{table_name}}::regclass, 'UPDATE')
    END
  ) THEN
    RETURN 'not_permitted';
  END IF;
  PERFORM pg_advisory_xact_lock(shardway.key_lock_class({{name}}), shardway.key_lock_bucket(apply.key));
  -- Before progress is read: a TRUNCATE is then before or after all of this.
  LOCK TABLE {{table}} IN ROW EXCLUSIVE MODE;
  PERFORM 1
  FROM {{fence_lock}}
  WHERE false
  FOR KEY SHARE;
  SELECT epoch, is_open INTO apply.held
  FROM {{fence}}
  WHERE slot_from <= p_slot
    AND slot_to >= p_slot;
  IF apply.held.is_open THEN
    RETURN 'authority';
  END IF;
  IF apply.held.epoch IS DISTINCT FROM (apply.version >> 53)::int THEN
    RETURN 'other_epoch';
  END IF;
  SELECT EXISTS (
    SELECT 1
    FROM {{fence}}
    WHERE is_open
  ) INTO apply.split;
  IF apply.split AND NOT p_remove AND {{image_slot}} IS DISTINCT FROM p_slot THEN
    RETURN 'other_slot';
  END IF;
  SELECT applied_lsn INTO apply.applied
  FROM shardway.stream_progress
  WHERE stream = 'source'
  ORDER BY id DESC
  LIMIT 1;
  IF apply.version <= shardway.row_version(apply.held.epoch, apply.applied) THEN
    RETURN 'delivered';
  END IF;
  IF p_remove THEN
    DELETE FROM {{table}} AS t
    WHERE {{key_match}}
      AND t._shardway_version <= apply.version
      AND (NOT apply.split OR {{outside}});
  ELSE
    INSERT INTO {{table}} AS t ({{columns}}, _shardway_version)
    OVERRIDING SYSTEM VALUE
    SELECT
      {{values}},
      apply.version
    ON CONFLICT ({{key}}) DO UPDATE
    SET
      {{updates}}
    WHERE t._shardway_version < excluded._shardway_version
      AND (NOT apply.split OR {{outside}});
  END IF;
  IF FOUND THEN
    INSERT INTO shardway.dual_applied (write_id, ordinal)
    VALUES (p_write_id, p_ordinal);
    RETURN 'applied';
  END IF;
  IF apply.split AND NOT p_remove THEN
    PERFORM 1
    FROM {{table}} AS t
    WHERE {{key_match}}
      AND NOT ({{outside}});
    IF FOUND THEN
      RETURN 'conflict';
    END IF;
  END IF;
  RETURN 'newer_present';
END {{quote}};
REVOKE ALL ON FUNCTION {{function}}(uuid, int, bigint, int, boolean, text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {{function}}(uuid, int, bigint, int, boolean, text[], text[]) TO {{application_role}};
