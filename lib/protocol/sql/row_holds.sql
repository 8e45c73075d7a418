SELECT 1
FROM {{table}} AS t
WHERE {{value_match}}
  AND {{owner_match}}
LIMIT 1
