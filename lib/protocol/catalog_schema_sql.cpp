#include "lib/protocol/catalog_schema_sql.hpp"

namespace shardway {
inline namespace v0 {

std::string_view catalog_schema_sql() noexcept {
  return R"sql(
CREATE TABLE IF NOT EXISTS shardway.outbox (
  written_at timestamptz NOT NULL DEFAULT clock_timestamp(), version bigint NOT NULL, write_id uuid NOT NULL, ordinal int NOT NULL,
  epoch int NOT NULL, relation text NOT NULL, slot int NOT NULL, operation "char" NOT NULL, key_values text[] NOT NULL,
  shard_key_values text[] NOT NULL) PARTITION BY RANGE (written_at);
CREATE TABLE IF NOT EXISTS shardway.outbox_default PARTITION OF shardway.outbox DEFAULT;

-- Creating a table with PARTITION OF locks the parent exclusively; making it first and attaching it does not (W26).
CREATE OR REPLACE FUNCTION shardway.maintain_outbox(p_hours_ahead int, p_keep_hours int) RETURNS int LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $f$
DECLARE hour timestamptz; partition_name text; made int := 0; expired record;
BEGIN
  FOR i IN 0..p_hours_ahead LOOP
    hour := date_trunc('hour', now()) + i * interval '1 hour';
    CONTINUE WHEN EXISTS (SELECT 1 FROM shardway.outbox_default WHERE written_at >= hour AND written_at < hour + interval '1 hour');
    partition_name := 'outbox_' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24');
    IF to_regclass(format('shardway.%I', partition_name)) IS NULL THEN
      EXECUTE format('CREATE TABLE shardway.%I (LIKE shardway.outbox INCLUDING DEFAULTS)', partition_name);
      EXECUTE format('ALTER TABLE shardway.outbox ATTACH PARTITION shardway.%I FOR VALUES FROM (%L) TO (%L)',
                     partition_name, hour, hour + interval '1 hour');
      made := made + 1;
    END IF;
  END LOOP;
  FOR expired IN SELECT c.relname FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
             WHERE i.inhparent = 'shardway.outbox'::regclass AND c.relname ~ '^outbox_[0-9]{10}$'
               AND c.relname < 'outbox_' || to_char((now() - p_keep_hours * interval '1 hour') AT TIME ZONE 'UTC', 'YYYYMMDDHH24') LOOP
    EXECUTE format('DROP TABLE shardway.%I', expired.relname);
  END LOOP;
  RETURN made;
END $f$;
SELECT shardway.maintain_outbox(2, 48);

CREATE TABLE IF NOT EXISTS shardway.manifest (
  relation text PRIMARY KEY, document text NOT NULL, sha256 text NOT NULL, applied_by text NOT NULL DEFAULT session_user,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE TABLE IF NOT EXISTS shardway.lease (
  token bigint NOT NULL, holder text NOT NULL, expires_at timestamptz NOT NULL, single boolean PRIMARY KEY DEFAULT true CHECK (single));

CREATE TABLE IF NOT EXISTS shardway.wave (
  wave text PRIMARY KEY, group_name text NOT NULL, direction text NOT NULL CHECK (direction IN ('forward', 'back')),
  ranges jsonb NOT NULL, epoch_before int NOT NULL, epoch_after int NOT NULL, state text NOT NULL, token bigint NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(), finished_at timestamptz, report jsonb);

-- One row a wave, written once: whoever writes first decides.
CREATE TABLE IF NOT EXISTS shardway.wave_decision (
  wave text PRIMARY KEY, decision text NOT NULL CHECK (decision IN ('commit', 'abort')), decided_by text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE TABLE IF NOT EXISTS shardway.journal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wave text, step text NOT NULL, detail jsonb NOT NULL DEFAULT '{}', token bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE TABLE IF NOT EXISTS shardway.chunk (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, relation text NOT NULL, lower text, upper text,
  state text NOT NULL CHECK (state IN ('planned', 'open', 'closed')), row_count bigint NOT NULL DEFAULT 0, byte_count bigint NOT NULL DEFAULT 0,
  closed_at timestamptz);

CREATE TABLE IF NOT EXISTS shardway.certificate (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, group_name text NOT NULL, relation text NOT NULL,
  result text NOT NULL CHECK (result IN ('equal', 'different', 'could_not_tell')), row_count bigint NOT NULL, as_of pg_lsn NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}', started_at timestamptz NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE TABLE IF NOT EXISTS shardway.repair (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, relation text NOT NULL, node text NOT NULL, kind text NOT NULL, key_digest text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE TABLE IF NOT EXISTS shardway.client (
  client_id uuid PRIMARY KEY, application text NOT NULL, library_version text NOT NULL, generation bigint NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp());

-- What clients report of their calls: one row a process, counts only.
CREATE TABLE IF NOT EXISTS shardway.call_report (
  client_id uuid PRIMARY KEY, application text NOT NULL, document jsonb NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(), updated_at timestamptz NOT NULL DEFAULT clock_timestamp());

-- By which the application role writes its report and nothing else. A new process takes away what is old or too much.
CREATE OR REPLACE FUNCTION shardway.report_calls(p_client uuid, p_application text, p_document jsonb) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $f$
BEGIN
  IF octet_length(p_document::text) > 4194304 THEN
    RAISE EXCEPTION 'shardway: a call report of more than 4 MiB' USING ERRCODE = '54000';
  END IF;
  UPDATE shardway.call_report SET document = p_document, updated_at = clock_timestamp() WHERE client_id = p_client;
  IF FOUND THEN RETURN; END IF;
  INSERT INTO shardway.call_report (client_id, application, document) VALUES (p_client, p_application, p_document) ON CONFLICT DO NOTHING;
  DELETE FROM shardway.call_report WHERE updated_at < clock_timestamp() - interval '14 days';
  DELETE FROM shardway.call_report WHERE client_id IN (SELECT client_id FROM shardway.call_report ORDER BY updated_at DESC OFFSET 1000);
END $f$;

CREATE TABLE IF NOT EXISTS shardway.request (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, arguments jsonb NOT NULL, requested_by text NOT NULL DEFAULT session_user,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')), result jsonb, error_code text, error_message text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(), finished_at timestamptz);

CREATE TABLE IF NOT EXISTS shardway.status (
  name text PRIMARY KEY, document jsonb NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE TABLE IF NOT EXISTS shardway.audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, actor text NOT NULL, action text NOT NULL, detail jsonb NOT NULL,
  previous_sha256 text NOT NULL, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());

-- A waiting client calls this when the deadline of a closed range has passed: no controller may be alive. Whoever writes the decision first
-- decides; after `commit` nothing is reopened here.
CREATE OR REPLACE FUNCTION shardway.abandon(p_group text, p_slot int) RETURNS TABLE (outcome text, epoch int) LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $f$
DECLARE held record; verdict text; fence text := format('shardway.%I', 'fence_' || p_group);
BEGIN
  EXECUTE format('SELECT * FROM %s WHERE slot_from <= $1 AND slot_to >= $1', fence) INTO held USING p_slot;
  IF held.is_open THEN RETURN QUERY SELECT 'reopened'::text, held.epoch; RETURN; END IF;
  IF held.wave = '' OR held.deadline IS NULL OR held.deadline > clock_timestamp() THEN
    RETURN QUERY SELECT 'not_due'::text, held.epoch; RETURN;
  END IF;
  INSERT INTO shardway.wave_decision (wave, decision, decided_by) VALUES (held.wave, 'abort', 'client') ON CONFLICT DO NOTHING;
  SELECT d.decision INTO verdict FROM shardway.wave_decision d WHERE d.wave = held.wave;
  IF verdict = 'commit' THEN RETURN QUERY SELECT 'committed'::text, held.epoch; RETURN; END IF;
  EXECUTE format('LOCK TABLE shardway.%I IN EXCLUSIVE MODE', 'fence_lock_' || p_group);
  FOR held IN EXECUTE format('SELECT * FROM %s WHERE wave = $1 AND NOT is_open', fence) USING held.wave LOOP
    PERFORM shardway.fence_set(p_group, held.slot_from, held.slot_to, held.epoch + 1, true, '', NULL);
  END LOOP;
  EXECUTE format('SELECT epoch FROM %s WHERE slot_from <= $1 AND slot_to >= $1', fence) INTO held USING p_slot;
  RETURN QUERY SELECT 'reopened'::text, held.epoch;
END $f$;
)sql";
}

}  // namespace v0
}  // namespace shardway
