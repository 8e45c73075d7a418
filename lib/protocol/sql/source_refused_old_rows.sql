      -- On the source a row may come from another shard key while the source has authority there too: the
      -- trigger shardway_key_change, or the old tuple in the stream, names its old place (W20).
      SELECT 1
      FROM shardway_old c
      LEFT JOIN {{fence}} f ON f.slot_from <= {{slot}} AND f.slot_to >= {{slot}}
      WHERE ({{other_key}})
        AND NOT coalesce(f.is_open, false)
