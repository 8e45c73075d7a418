-- Which lookups are complete.
CREATE TABLE IF NOT EXISTS shardway.lookup (
  relation text NOT NULL,
  name text NOT NULL,
  shape text NOT NULL DEFAULT '',
  is_ready boolean NOT NULL,
  at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (relation, name)
);
GRANT SELECT ON shardway.lookup TO {{application_role}};
