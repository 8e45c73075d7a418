SELECT u.at
FROM ROWS FROM (
  {{arrays}}
) WITH ORDINALITY AS u ({{value_columns}}, s, k, at)
WHERE NOT EXISTS (
  SELECT 1
  FROM {{mappings}} AS t
  WHERE {{value_match}}
    AND t.shard_key = u.s::text[]
    AND t.row_key = u.k::text[]
)
ORDER BY u.at
