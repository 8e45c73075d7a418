INSERT INTO {{mappings}} ({{value_columns}}, shard_key, row_key)
SELECT {{values}}, u.s::text[], u.k::text[]
FROM ROWS FROM (
  {{arrays}}
) WITH ORDINALITY AS u ({{value_columns}}, s, k, at)
-- Sorted, so that two writers cannot deadlock.
ORDER BY 1, u.s, u.at
ON CONFLICT DO NOTHING
