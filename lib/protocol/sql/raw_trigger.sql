-- For a table that is captured by statement: refuses a raw change by a client of its own group. A raw change
-- is one that no trigger made: what triggers and cascades change beside a framed statement are side effects.
CREATE TRIGGER shardway_capture
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {{table}}
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = {{client}}
  AND coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
  AND pg_catalog.pg_trigger_depth() = 0
)
EXECUTE FUNCTION shardway.refuse_raw_change();
ALTER TABLE ONLY {{table}} ENABLE ALWAYS TRIGGER shardway_capture;
