      SELECT 1
      FROM shardway_old c
      WHERE {{other_key}}
