SELECT {{value_texts}}, {{owner}}
FROM {{mappings}} AS t
WHERE {{after}}
ORDER BY {{values}}, t.shard_key
LIMIT {{limit}}
