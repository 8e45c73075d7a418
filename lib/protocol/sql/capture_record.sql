    -- The outbox rows, and a line each for the library, which reads the images before COMMIT. ROLLBACK TO
    -- SAVEPOINT takes both back.
    WITH changed AS (
{{changed}}    ),
    numbered AS (
      SELECT
        c.*,
        last_ordinal - (row_number() OVER (ORDER BY operation))::int AS ordinal
      FROM changed c
    ),
    written AS (
      INSERT INTO shardway.outbox (
        version, write_id, ordinal, epoch, relation, slot, operation, key_values, shard_key_values
      )
      SELECT
        version_now,
        current_setting('shardway.write_id')::uuid,
        ordinal,
        epoch_now,
        {{name}},
        current_setting('shardway.slot')::int,
        operation::"char",
        key_values,
        shard_key_values
      FROM numbered
    )
    SELECT
      string_agg(
        jsonb_build_array(
          version_now::text,
          ordinal::text,
          operation,
          {{name}},
          to_jsonb(key_values),
          current_setting('shardway.slot')
        )::text || E'\n',
        ''
        ORDER BY ordinal DESC
      ),
      coalesce(min(ordinal), last_ordinal)
    INTO lines, last_ordinal
    FROM numbered;
