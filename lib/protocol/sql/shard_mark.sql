-- How a transaction of ours tells the stream of its own node to skip it.
CREATE OR REPLACE FUNCTION shardway.mark(p_writer text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  PERFORM pg_logical_emit_message(true, 'shardway', p_writer);
END $f$;

CREATE TABLE IF NOT EXISTS shardway.dual_applied (
  write_id uuid NOT NULL,
  ordinal int NOT NULL,
  PRIMARY KEY (write_id, ordinal)
);
