DELETE FROM {{mappings}} AS t
WHERE {{value_match}}
  AND t.shard_key = {{shard_key}}::text[]
  AND t.row_key = {{row_key}}::text[]
