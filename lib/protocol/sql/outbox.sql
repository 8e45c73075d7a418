CREATE TABLE IF NOT EXISTS shardway.outbox (
  written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  version bigint NOT NULL,
  write_id uuid NOT NULL,
  ordinal int NOT NULL,
  epoch int NOT NULL,
  relation text NOT NULL,
  slot int NOT NULL,
  operation "char" NOT NULL,
  key_values text[] NOT NULL,
  shard_key_values text[] NOT NULL
)
PARTITION BY RANGE (written_at);
-- Catches what no hour's partition covers.
CREATE TABLE IF NOT EXISTS shardway.outbox_default PARTITION OF shardway.outbox DEFAULT;
-- Rows of a group that is withdrawn are deleted while the table is published. Inserts do not cost more by it.
ALTER TABLE shardway.outbox_default REPLICA IDENTITY FULL;

-- A write in doubt is looked for by its id (AP18). An outbox with rows keeps its writers: no index is made.
DO $f$
BEGIN
  IF to_regclass('shardway.outbox_write') IS NULL AND NOT EXISTS (SELECT 1 FROM shardway.outbox) THEN
    CREATE INDEX outbox_write ON shardway.outbox (write_id);
  END IF;
END $f$;

-- Makes the partitions of the next hours and drops the expired ones.
-- W26: creating a table with PARTITION OF locks the parent exclusively; creating it alone and attaching it
-- does not.
CREATE OR REPLACE FUNCTION shardway.maintain_outbox(p_hours_ahead int, p_keep_hours int)
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
DECLARE
  hour timestamptz;
  partition_name text;
  made int := 0;
  expired record;
BEGIN
  FOR i IN 0..p_hours_ahead LOOP
    hour := date_trunc('hour', now()) + i * interval '1 hour';
    -- Such rows would have to move out of the DEFAULT partition first.
    CONTINUE WHEN EXISTS (
      SELECT 1
      FROM shardway.outbox_default
      WHERE written_at >= hour
        AND written_at < hour + interval '1 hour'
    );
    partition_name := 'outbox_' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24');
    IF to_regclass(format('shardway.%I', partition_name)) IS NULL THEN
      EXECUTE format('CREATE TABLE shardway.%I (LIKE shardway.outbox INCLUDING DEFAULTS)', partition_name);
      EXECUTE format('ALTER TABLE shardway.%I REPLICA IDENTITY FULL', partition_name);
      EXECUTE format(
        'ALTER TABLE shardway.outbox ATTACH PARTITION shardway.%I FOR VALUES FROM (%L) TO (%L)',
        partition_name, hour, hour + interval '1 hour'
      );
      made := made + 1;
    END IF;
  END LOOP;
  FOR expired IN
    SELECT c.relname
    FROM pg_class c
    JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE i.inhparent = 'shardway.outbox'::regclass
      AND c.relname ~ '^outbox_[0-9]{10}$'
      AND c.relname < 'outbox_'
        || to_char((now() - p_keep_hours * interval '1 hour') AT TIME ZONE 'UTC', 'YYYYMMDDHH24')
  LOOP
    EXECUTE format('DROP TABLE shardway.%I', expired.relname);
  END LOOP;
  RETURN made;
END $f$;
SELECT shardway.maintain_outbox(2, 48);
