CREATE OR REPLACE FUNCTION shardway.refuse_raw(p_table text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  RAISE EXCEPTION 'shardway: a change of % that can''t be captured was refused', p_table
    USING
      ERRCODE = 'SW009',
      HINT = 'Send it through execute, or give the table capture: TRIGGER. TRUNCATE is never captured.';
END $f$;

CREATE OR REPLACE FUNCTION shardway.refuse_raw_change()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  PERFORM shardway.refuse_raw(format('%s.%s', TG_TABLE_SCHEMA, TG_TABLE_NAME));
  RETURN NULL;
END $f$;
