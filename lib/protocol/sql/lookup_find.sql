SELECT {{shard_key}}
FROM {{mappings}} AS t
WHERE {{value_match}}
ORDER BY t.shard_key
LIMIT {{limit}}
