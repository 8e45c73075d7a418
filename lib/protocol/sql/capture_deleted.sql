      SELECT
        'd' AS operation,
        ARRAY[{{key}}] AS key_values,
        ARRAY[{{shard_key}}] AS shard_key_values
      FROM shardway_old c
