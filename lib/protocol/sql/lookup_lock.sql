SELECT pg_catalog.{{lock_function}}(shardway.key_lock_class($1::text), u.slot)
FROM pg_catalog.unnest($2::int4[]) AS u (slot)
