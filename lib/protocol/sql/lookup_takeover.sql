UPDATE {{mappings}} AS t
SET shard_key = {{new_shard_key}}::text[],
  row_key = {{new_row_key}}::text[]
WHERE {{value_match}}
  AND t.shard_key = {{shard_key}}::text[]
  AND t.row_key = {{row_key}}::text[]
