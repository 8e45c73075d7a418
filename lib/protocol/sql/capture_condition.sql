(
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = {{client}}
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)
