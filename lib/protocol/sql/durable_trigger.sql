-- A transaction that changes the table is durable once it is committed, whatever its role has set for
-- synchronous_commit. On the table, so that no way of writing it can forget it.
DO {{quote}}
BEGIN
  IF NOT EXISTS (
    SELECT 1
    FROM pg_catalog.pg_trigger
    WHERE tgrelid = {{table_name}}::regclass
      AND tgname = 'shardway_durable'
  ) THEN
    CREATE TRIGGER shardway_durable
    BEFORE INSERT OR UPDATE OR DELETE ON {{table}}
    FOR EACH STATEMENT
    WHEN (pg_catalog.current_setting('synchronous_commit') = 'off')
    EXECUTE FUNCTION shardway.commit_durably();
    ALTER TABLE {{table}} ENABLE ALWAYS TRIGGER shardway_durable;
  END IF;
END {{quote}};
