-- Functions of every node.
CREATE OR REPLACE FUNCTION shardway.row_version(p_epoch int, p_lsn pg_lsn)
RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $f$
  SELECT
    (p_epoch::bigint OPERATOR(pg_catalog.<<) 53)
    OPERATOR(pg_catalog.|)
    ((p_lsn OPERATOR(pg_catalog.-) '0/0'::pg_catalog.pg_lsn)::bigint OPERATOR(pg_catalog.>>) 3)
$f$;

-- The fence check calls it when no open row matches. It tells the two refusals apart and never names a key.
CREATE OR REPLACE FUNCTION shardway.refuse_fence(p_group text, p_slot int, p_epoch int)
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
DECLARE
  held record;
BEGIN
  EXECUTE format(
    'SELECT epoch, is_open FROM shardway.%I WHERE slot_from <= $1 AND slot_to >= $1',
    'fence_' || p_group
  )
  INTO held
  USING p_slot;
  IF held.is_open AND held.epoch = p_epoch THEN
    RETURN 0;  -- opened between the check and here: a new statement would pass
  END IF;
  IF held.is_open THEN
    RAISE EXCEPTION 'shardway: the fence of group % has another epoch than the caller', p_group
      USING ERRCODE = 'SW002';
  END IF;
  RAISE EXCEPTION 'shardway: the fence of group % is closed on this node for the slot', p_group
    USING ERRCODE = 'SW001';
END $f$;

CREATE OR REPLACE FUNCTION shardway.refuse_key(p_table text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  RAISE EXCEPTION 'shardway: the statement changes a row of % whose shard key is not the one it was routed by',
    p_table
    USING ERRCODE = 'SW005';
END $f$;

-- Splits the rows of a fence so that [p_from, p_to] has one row with the new state.
-- I3: an epoch never goes back, and opening needs a new one.
CREATE OR REPLACE FUNCTION shardway.fence_set(
  p_group text,
  p_from int,
  p_to int,
  p_epoch int,
  p_open boolean,
  p_wave text,
  p_deadline_ms bigint
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
DECLARE
  held record;
  fence text := format('shardway.%I', 'fence_' || p_group);
BEGIN
  IF p_epoch > 1023 THEN
    RAISE EXCEPTION 'shardway: more than 1023 epochs in group %', p_group
      USING ERRCODE = 'SW007';
  END IF;
  FOR held IN
    EXECUTE format('SELECT * FROM %s WHERE slot_from <= $1 AND slot_to >= $2 FOR UPDATE', fence)
    USING p_to, p_from
  LOOP
    IF held.epoch > p_epoch OR (p_open AND NOT held.is_open AND held.epoch >= p_epoch) THEN
      RAISE EXCEPTION 'shardway: I3: group % is at epoch %, refusing to go to %', p_group, held.epoch, p_epoch
        USING ERRCODE = 'SW008';
    END IF;
    EXECUTE format('DELETE FROM %s WHERE slot_from = $1', fence)
      USING held.slot_from;
    -- What the old row holds before and after the range stays as it was.
    IF held.slot_from < p_from THEN
      EXECUTE format('INSERT INTO %s VALUES ($1, $2, $3, $4, $5, $6)', fence)
        USING held.slot_from, p_from - 1, held.epoch, held.is_open, held.wave, held.deadline;
    END IF;
    IF held.slot_to > p_to THEN
      EXECUTE format('INSERT INTO %s VALUES ($1, $2, $3, $4, $5, $6)', fence)
        USING p_to + 1, held.slot_to, held.epoch, held.is_open, held.wave, held.deadline;
    END IF;
  END LOOP;
  EXECUTE format('INSERT INTO %s VALUES ($1, $2, $3, $4, $5, $6)', fence)
    USING
      p_from,
      p_to,
      p_epoch,
      p_open,
      coalesce(p_wave, ''),
      clock_timestamp() + p_deadline_ms * interval '1 millisecond';
END $f$;

-- First statement of every transaction of the engine. The advisory lock is shared, so that many run at once;
-- raising the token waits for all of them.
CREATE OR REPLACE FUNCTION shardway.engine_check(p_token bigint, p_writer text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
DECLARE
  held bigint;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1936224359, 1);
  SELECT token INTO held
  FROM shardway.controller_token;
  IF held IS DISTINCT FROM p_token THEN
    RAISE EXCEPTION 'shardway: controller token is % on this node, the caller holds %', held, p_token
      USING ERRCODE = 'SW006';
  END IF;
  PERFORM set_config('shardway.writer', p_writer, true);
END $f$;

-- The same for a transaction that the stream of this node skips. A flip of the fence is not one: the stream
-- must read it.
CREATE OR REPLACE FUNCTION shardway.engine_begin(p_token bigint, p_writer text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  PERFORM shardway.engine_check(p_token, p_writer);
  PERFORM shardway.mark(p_writer);
END $f$;

-- A new controller calls this on every node before anything else. Returns the token that the node holds
-- afterwards.
CREATE OR REPLACE FUNCTION shardway.raise_token(p_token bigint, p_holder text)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
DECLARE
  held bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(1936224359, 1);
  UPDATE shardway.controller_token
  SET token = p_token, holder = p_holder
  WHERE token < p_token;
  SELECT token INTO held
  FROM shardway.controller_token;
  RETURN held;
END $f$;

CREATE OR REPLACE FUNCTION shardway.key_lock_bucket(p_key text[])
RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $f$
  SELECT
    (pg_catalog.hashtextextended(pg_catalog.array_to_string(p_key, E'\x1f', ''), 0)
     OPERATOR(pg_catalog.&) 1023)::int
$f$;

CREATE OR REPLACE FUNCTION shardway.key_lock_class(p_table text)
RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $f$
  SELECT pg_catalog.hashtext(p_table)
$f$;

-- The one text of a key or value: lib/protocol/key_text.hpp. Whether this session prints dates, intervals and
-- floats as the stream does; inlined, so it names all it calls.
CREATE OR REPLACE FUNCTION shardway.prints_canonically()
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
AS $f$
  SELECT
    pg_catalog.current_setting('TimeZone') OPERATOR(pg_catalog.=) 'UTC'
    AND pg_catalog.starts_with(pg_catalog.current_setting('DateStyle'), 'ISO')
    AND pg_catalog.current_setting('IntervalStyle') OPERATOR(pg_catalog.=) 'postgres'
    AND pg_catalog.current_setting('extra_float_digits')::int OPERATOR(pg_catalog.>) 0
$f$;

-- What the output function of any type prints under the stream's settings.
CREATE OR REPLACE FUNCTION shardway.value_text(p_value anyelement)
RETURNS text
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
SET DateStyle = 'ISO'
SET IntervalStyle = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 3
SET lc_monetary = 'C'
AS $f$
BEGIN
  RETURN concat(p_value);
END $f$;

-- Makes the transaction durable at COMMIT. A shard is sent what the outbox holds as soon as the source has
-- committed, and a leased id or a mapping is used then: a crash may not take that back (AP1, AL12).
CREATE OR REPLACE FUNCTION shardway.commit_durably()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  PERFORM set_config('synchronous_commit', 'local', true);
  RETURN NULL;
END $f$;

-- The write guard. Two functions, so that turning recording into refusing is DDL: it waits for the writers
-- that are under way.
CREATE OR REPLACE FUNCTION shardway.record_foreign_write()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  INSERT INTO shardway.foreign_write (relation, operation, application_name, role_name, transaction_id)
  VALUES (
    format('%s.%s', TG_TABLE_SCHEMA, TG_TABLE_NAME),
    lower(TG_OP),
    coalesce(current_setting('application_name', true), ''),
    session_user,
    pg_current_xact_id()::text
  );
  RETURN NULL;
END $f$;

CREATE OR REPLACE FUNCTION shardway.refuse_foreign_write()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  RAISE EXCEPTION 'shardway: % on %.% refused: this table is being moved and is written through the shardway library only',
    TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING
      ERRCODE = 'SW003',
      HINT = 'Use the library, or ask the owner of the migration.';
END $f$;

CREATE OR REPLACE FUNCTION shardway.refuse_shard_key_change()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  RAISE EXCEPTION 'shardway: a change of the shard key of %.% refused', TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING
      ERRCODE = 'SW004',
      HINT = 'Delete the row and insert it under its new key.';
END $f$;
