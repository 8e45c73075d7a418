-- Writes that a caller named: a repeated one finds its record.
CREATE TABLE IF NOT EXISTS shardway.operation (
  id text COLLATE "C" PRIMARY KEY,
  digest text NOT NULL,
  write_id uuid NOT NULL,
  affected bigint NOT NULL DEFAULT 0,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS operation_at ON shardway.operation (at);
GRANT SELECT, INSERT, UPDATE, DELETE ON shardway.operation TO {{application_role}};
