-- Tables of every node.
CREATE SCHEMA IF NOT EXISTS shardway;

CREATE TABLE IF NOT EXISTS shardway.schema_version (
  version int PRIMARY KEY,
  installed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.node (
  name text NOT NULL,
  migration text NOT NULL,
  role text NOT NULL CHECK (role IN ('source', 'shard')),
  single boolean PRIMARY KEY DEFAULT true CHECK (single)
);

CREATE TABLE IF NOT EXISTS shardway.controller_token (
  token bigint NOT NULL,
  holder text NOT NULL DEFAULT '',
  single boolean PRIMARY KEY DEFAULT true CHECK (single)
);
INSERT INTO shardway.controller_token (token)
VALUES (0)
ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS shardway.incarnation (
  incarnation int PRIMARY KEY,
  system_identifier bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO shardway.incarnation (incarnation, system_identifier)
SELECT 1, system_identifier
FROM pg_catalog.pg_control_system()
ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS shardway.generation (
  generation bigint PRIMARY KEY,
  document text NOT NULL,
  sha256 text NOT NULL,
  published_by text NOT NULL DEFAULT session_user,
  published_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.stream_progress (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  applied_lsn pg_lsn NOT NULL,
  marker bigint NOT NULL,
  changes bigint NOT NULL,
  outbox bigint NOT NULL,
  duplicates bigint NOT NULL,
  healed bigint NOT NULL,
  corrected bigint NOT NULL,
  side_effects bigint NOT NULL,
  foreign_writes bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS stream_progress_newest ON shardway.stream_progress (stream, id DESC);

CREATE TABLE IF NOT EXISTS shardway.marker (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  wave text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.foreign_write (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  relation text NOT NULL,
  operation text NOT NULL,
  application_name text NOT NULL,
  role_name text NOT NULL,
  transaction_id text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.parked (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  relation text NOT NULL,
  key_digest text NOT NULL,
  reason text NOT NULL,
  commit_lsn pg_lsn NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Primary keys that two nodes claim for different places: what a stream, a mirror, a copy or a repair left alone.
CREATE TABLE IF NOT EXISTS shardway.conflict (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  relation text NOT NULL,
  key_digest text NOT NULL,
  slot int,
  held_slot int,
  version bigint,
  held_version bigint,
  reason text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Images of rows that a repair took away, put another in place of, or found claimed by two nodes. They hold
-- row values: nobody but the engine's role reads them.
CREATE TABLE IF NOT EXISTS shardway.salvaged (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  relation text NOT NULL,
  key_digest text NOT NULL,
  image jsonb NOT NULL,
  node text NOT NULL,
  reason text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
