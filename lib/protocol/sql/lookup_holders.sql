SELECT {{shard_key}}, {{row_key}}
FROM ROWS FROM (
  {{arrays}}
) WITH ORDINALITY AS u ({{value_columns}}, s, k, at)
LEFT JOIN {{mappings}} AS t ON {{value_match}}
ORDER BY u.at
