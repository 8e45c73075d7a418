-- Checks the shard key of every row that a statement changed and, on the source, writes the outbox rows.
-- SECURITY DEFINER: it may run below a function whose owner has no rights on the outbox. Keys are printed as the
-- stream prints them, whatever the session has set.
CREATE OR REPLACE FUNCTION {{function}}()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{quote}}
#variable_conflict use_variable
DECLARE
  routed text[];
  seen bigint;
  epoch_now int;
  version_now bigint;
  last_ordinal int;
  lines text;
BEGIN
  IF TG_OP = 'TRUNCATE' OR coalesce(current_setting('shardway.capture', true), '') = '' THEN
    PERFORM shardway.refuse_raw({{name}});
  END IF;

  -- How many rows the transaction's triggers have seen changed, for the receipt.
  IF TG_OP = 'DELETE' THEN
    SELECT count(*) INTO seen
    FROM shardway_old;
  ELSE
    SELECT count(*) INTO seen
    FROM shardway_new;
  END IF;
  IF seen = 0 THEN
    RETURN NULL;
  END IF;
  PERFORM set_config(
    'shardway.changed',
    (coalesce(nullif(current_setting('shardway.changed', true), '')::bigint, 0) + seen)::text,
    true
  );

  -- The shard key that the transaction was routed by.
  routed := current_setting('shardway.key')::text[];
  IF TG_OP <> 'DELETE' THEN
    IF EXISTS (
      SELECT 1
      FROM shardway_new c
      WHERE {{other_key}}
    ) THEN
      PERFORM shardway.refuse_key({{name}});
    END IF;
  END IF;
  IF TG_OP = 'DELETE' THEN
    IF EXISTS (
      SELECT 1
      FROM shardway_old c
      WHERE {{other_key}}
    ) THEN
      PERFORM shardway.refuse_key({{name}});
    END IF;
  ELSIF TG_OP = 'UPDATE' THEN
    IF EXISTS (
{{refused_old_rows}}    ) THEN
      PERFORM shardway.refuse_key({{name}});
    END IF;
  END IF;
{{recording}}  RETURN NULL;
END {{quote}};
