-- How a transaction of ours tells the stream of its own node to skip it.
CREATE OR REPLACE FUNCTION shardway.mark(p_writer text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  RETURN;  -- on the source the published progress row is the mark: pgoutput of version 13 sends no messages
END $f$;
