
  IF current_setting('shardway.capture') <> 'outbox' THEN
    RETURN NULL;
  END IF;
  epoch_now := current_setting('shardway.epoch')::int;
  -- Read after the change, in a statement of its own: it lies between the change and the commit.
  version_now := shardway.row_version(epoch_now, pg_current_wal_insert_lsn());
  -- Ordinals count down from -1, those of frames up from 1: a transaction may have both.
  last_ordinal := coalesce(nullif(current_setting('shardway.ordinal', true), '')::int, 0);
  IF TG_OP = 'INSERT' THEN
{{record_inserts}}  ELSIF TG_OP = 'UPDATE' THEN
{{record_updates}}  ELSE
{{record_deletes}}  END IF;
  IF lines IS NOT NULL THEN
    PERFORM
      set_config('shardway.ordinal', last_ordinal::text, true),
      set_config(
        'shardway.captured',
        coalesce(current_setting('shardway.captured', true), '') || lines,
        true
      );
  END IF;
