SELECT u.at
FROM ROWS FROM (
  {{arrays}}
) WITH ORDINALITY AS u ({{value_columns}}, s, k, at)
WHERE NOT EXISTS (
  SELECT 1
  FROM {{table}} AS t
  WHERE {{value_match}}
    AND {{owner_match}}
)
ORDER BY u.at
