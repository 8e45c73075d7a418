SELECT DISTINCT {{shard_key}}
FROM {{table}} AS t
WHERE {{value_match}}
ORDER BY {{shard_key}}
LIMIT {{limit}}
