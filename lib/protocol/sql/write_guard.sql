-- A client that has passed another group's fence is a foreign writer here: a statement of several tables, a
-- function, a cascade. AFTER, because the WHEN of a BEFORE trigger runs before our own statement has set the
-- setting. The setting reads '' after an earlier transaction has set it.
CREATE TRIGGER shardway_guard
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {{table}}
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = ''
  OR (
    pg_catalog.starts_with(coalesce(pg_catalog.current_setting('shardway.writer', true), ''), 'client/')
    AND coalesce(pg_catalog.current_setting('shardway.writer', true), '') <> {{client}}
  )
)
EXECUTE FUNCTION {{function}}();
-- Also for writers with session_replication_role = replica.
ALTER TABLE ONLY {{table}} ENABLE ALWAYS TRIGGER shardway_guard;
