-- Tables of the catalog: on the source alone.
CREATE TABLE IF NOT EXISTS shardway.manifest (
  relation text PRIMARY KEY,
  document text NOT NULL,
  sha256 text NOT NULL,
  applied_by text NOT NULL DEFAULT session_user,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.lease (
  token bigint NOT NULL,
  holder text NOT NULL,
  expires_at timestamptz NOT NULL,
  single boolean PRIMARY KEY DEFAULT true CHECK (single)
);

CREATE TABLE IF NOT EXISTS shardway.wave (
  wave text PRIMARY KEY,
  group_name text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('forward', 'back')),
  ranges jsonb NOT NULL,
  epoch_before int NOT NULL,
  epoch_after int NOT NULL,
  state text NOT NULL,
  token bigint NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  report jsonb
);

-- One row a wave, written once: the first writer decides.
CREATE TABLE IF NOT EXISTS shardway.wave_decision (
  wave text PRIMARY KEY,
  decision text NOT NULL CHECK (decision IN ('commit', 'abort')),
  decided_by text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.journal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  wave text,
  step text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  token bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.chunk (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  relation text NOT NULL,
  lower text,
  upper text,
  state text NOT NULL CHECK (state IN ('planned', 'open', 'closed')),
  row_count bigint NOT NULL DEFAULT 0,
  byte_count bigint NOT NULL DEFAULT 0,
  closed_at timestamptz
);

CREATE TABLE IF NOT EXISTS shardway.certificate (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  group_name text NOT NULL,
  relation text NOT NULL,
  result text NOT NULL CHECK (result IN ('equal', 'different', 'could_not_tell')),
  row_count bigint NOT NULL,
  as_of pg_lsn NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  started_at timestamptz NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.repair (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  relation text NOT NULL,
  node text NOT NULL,
  kind text NOT NULL,
  key_digest text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.client (
  client_id uuid PRIMARY KEY,
  application text NOT NULL,
  library_version text NOT NULL,
  generation bigint NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What clients report of their calls: one row a process, counts only.
CREATE TABLE IF NOT EXISTS shardway.call_report (
  client_id uuid PRIMARY KEY,
  application text NOT NULL,
  document jsonb NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Lets the application role write its report and nothing else. A new process removes reports that are old
-- or too many.
CREATE OR REPLACE FUNCTION shardway.report_calls(p_client uuid, p_application text, p_document jsonb)
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $f$
BEGIN
  IF octet_length(p_document::text) > 4194304 THEN
    RAISE EXCEPTION 'shardway: a call report of more than 4 MiB'
      USING ERRCODE = '54000';
  END IF;
  UPDATE shardway.call_report
  SET document = p_document, updated_at = clock_timestamp()
  WHERE client_id = p_client;
  IF FOUND THEN
    RETURN;
  END IF;
  INSERT INTO shardway.call_report (client_id, application, document)
  VALUES (p_client, p_application, p_document)
  ON CONFLICT DO NOTHING;
  DELETE FROM shardway.call_report
  WHERE updated_at < clock_timestamp() - interval '14 days';
  DELETE FROM shardway.call_report
  WHERE client_id IN (
    SELECT client_id
    FROM shardway.call_report
    ORDER BY updated_at DESC
    OFFSET 1000
  );
END $f$;

CREATE TABLE IF NOT EXISTS shardway.request (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  arguments jsonb NOT NULL,
  requested_by text NOT NULL DEFAULT session_user,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
  result jsonb,
  error_code text,
  error_message text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz
);

-- The newest rehearsal of each group.
CREATE TABLE IF NOT EXISTS shardway.rehearsal (
  group_name text PRIMARY KEY,
  tables_sha256 text NOT NULL,
  passed boolean NOT NULL,
  problems text[] NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.status (
  name text PRIMARY KEY,
  document jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS shardway.audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  actor text NOT NULL,
  action text NOT NULL,
  detail jsonb NOT NULL,
  previous_sha256 text NOT NULL,
  sha256 text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
