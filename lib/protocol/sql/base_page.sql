SELECT {{key_texts}}, {{shard_key_texts}}, {{value_texts}}
FROM {{table}} AS t
WHERE {{after}}
ORDER BY {{key}}
LIMIT {{limit}}
