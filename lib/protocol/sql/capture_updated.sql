      -- A row whose primary key changed is a removed one and a new one. Of a row that came from another
      -- shard key the trigger shardway_key_change removes the old place.
      SELECT
        'd' AS operation,
        ARRAY[{{key}}] AS key_values,
        ARRAY[{{shard_key}}] AS shard_key_values
      FROM shardway_old c
      WHERE NOT ({{other_key}})
        AND ARRAY[{{key}}] NOT IN (SELECT ARRAY[{{new_key}}] FROM shardway_new n)
      UNION ALL
      SELECT
        'u' AS operation,
        ARRAY[{{key}}] AS key_values,
        ARRAY[{{shard_key}}] AS shard_key_values
      FROM shardway_new c
