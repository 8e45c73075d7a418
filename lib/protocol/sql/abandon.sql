-- A waiting client calls this when the deadline of a closed range has passed: no controller may be alive.
-- The first writer of the decision decides; after `commit` nothing is reopened here.
CREATE OR REPLACE FUNCTION shardway.abandon(p_group text, p_slot int)
RETURNS TABLE (outcome text, epoch int)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $f$
DECLARE
  held record;
  verdict text;
  fence text := format('shardway.%I', 'fence_' || p_group);
BEGIN
  -- Whoever reads the decision acts on it: a crash may not take it back.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'local', true);
  END IF;
  EXECUTE format('SELECT * FROM %s WHERE slot_from <= $1 AND slot_to >= $1', fence)
    INTO held
    USING p_slot;
  IF held.is_open THEN
    RETURN QUERY SELECT 'reopened'::text, held.epoch;
    RETURN;
  END IF;
  IF held.wave = '' OR held.deadline IS NULL OR held.deadline > clock_timestamp() THEN
    RETURN QUERY SELECT 'not_due'::text, held.epoch;
    RETURN;
  END IF;
  INSERT INTO shardway.wave_decision (wave, decision, decided_by)
  VALUES (held.wave, 'abort', 'client')
  ON CONFLICT DO NOTHING;
  SELECT d.decision INTO verdict
  FROM shardway.wave_decision d
  WHERE d.wave = held.wave;
  IF verdict = 'commit' THEN
    RETURN QUERY SELECT 'committed'::text, held.epoch;
    RETURN;
  END IF;
  EXECUTE format('LOCK TABLE shardway.%I IN EXCLUSIVE MODE', 'fence_lock_' || p_group);
  FOR held IN
    EXECUTE format('SELECT * FROM %s WHERE wave = $1 AND NOT is_open', fence)
    USING held.wave
  LOOP
    PERFORM shardway.fence_set(p_group, held.slot_from, held.slot_to, held.epoch + 1, true, '', NULL);
  END LOOP;
  EXECUTE format('SELECT epoch FROM %s WHERE slot_from <= $1 AND slot_to >= $1', fence)
    INTO held
    USING p_slot;
  RETURN QUERY SELECT 'reopened'::text, held.epoch;
END $f$;
