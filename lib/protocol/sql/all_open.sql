SELECT coalesce(pg_catalog.bool_and(f.is_open), false)
FROM {{fence}} f
