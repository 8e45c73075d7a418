-- What is sent for the lookups of table Odd "Schema".Mixed Case's.

-- === by_email: lookup_lock_statement, shared ===
SELECT pg_catalog.pg_advisory_xact_lock_shared(shardway.key_lock_class($1::text), u.slot)
FROM pg_catalog.unnest($2::int4[]) AS u (slot)
-- $1 = lookup Odd "Schema".Mixed Case's.by_email
-- $2 = {"7","1023"}

-- === by_email: lookup_lock_statement, exclusive ===
SELECT pg_catalog.pg_advisory_xact_lock(shardway.key_lock_class($1::text), u.slot)
FROM pg_catalog.unnest($2::int4[]) AS u (slot)
-- $1 = lookup Odd "Schema".Mixed Case's.by_email
-- $2 = {"7","1023"}

-- === by_email: lookup_insert_statement ===
INSERT INTO shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" (v1, shard_key, row_key)
SELECT u.v1::text, u.s::text[], u.k::text[]
FROM ROWS FROM (
  pg_catalog.unnest($1::text[]),
  pg_catalog.unnest($2::text[]),
  pg_catalog.unnest($3::text[])
) WITH ORDINALITY AS u (v1, s, k, at)
-- Sorted, so that two writers cannot deadlock.
ORDER BY 1, u.s, u.at
ON CONFLICT DO NOTHING
-- $1 = {"a@b.example"}
-- $2 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}
-- $3 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}

-- === by_email: lookup_holders_statement ===
SELECT t.shard_key[1], t.shard_key[2], t.row_key[1], t.row_key[2]
FROM ROWS FROM (
  pg_catalog.unnest($1::text[]),
  pg_catalog.unnest($2::text[]),
  pg_catalog.unnest($3::text[])
) WITH ORDINALITY AS u (v1, s, k, at)
LEFT JOIN shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" AS t ON t.v1 = u.v1::text
ORDER BY u.at
-- $1 = {"a@b.example"}
-- $2 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}
-- $3 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}

-- === by_email: lookup_takeover_statement ===
UPDATE shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" AS t
SET shard_key = $2::text[],
  row_key = $3::text[]
WHERE t.v1 = $1::text
  AND t.shard_key = $4::text[]
  AND t.row_key = $5::text[]
-- $1 = a@b.example
-- $2 = {"tenant \"one\"","00000000-0000-0000-0000-000000000001"}
-- $3 = {"tenant \"one\"","00000000-0000-0000-0000-000000000001"}
-- $4 = {"other","00000000-0000-0000-0000-000000000002"}
-- $5 = {"other","00000000-0000-0000-0000-000000000002"}

-- === by_email: lookup_remove_statement ===
DELETE FROM shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" AS t
WHERE t.v1 = $1::text
  AND t.shard_key = $2::text[]
  AND t.row_key = $3::text[]
-- $1 = a@b.example
-- $2 = {"tenant \"one\"","00000000-0000-0000-0000-000000000001"}
-- $3 = {"tenant \"one\"","00000000-0000-0000-0000-000000000001"}

-- === by_email: lookup_find_statement ===
SELECT t.shard_key[1], t.shard_key[2]
FROM shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" AS t
WHERE t.v1 = $1::text
ORDER BY t.shard_key
LIMIT 101
-- $1 = a@b.example

-- === by_email: lookup_ready_statement ===
SELECT coalesce(
  (SELECT l.is_ready FROM shardway.lookup l WHERE l.relation = $1::text AND l.name = $2::text),
  false
)
-- $1 = Odd "Schema".Mixed Case's
-- $2 = by_email

-- === by_email: lookup_page_statement, first ===
SELECT t.v1::text, t.shard_key[1], t.shard_key[2], t.row_key[1], t.row_key[2]
FROM shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" AS t
WHERE true
ORDER BY t.v1, t.shard_key
LIMIT 1000

-- === by_email: lookup_page_statement, next ===
SELECT t.v1::text, t.shard_key[1], t.shard_key[2], t.row_key[1], t.row_key[2]
FROM shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" AS t
WHERE (t.v1, t.shard_key) > ($1::text, $2::text[])
ORDER BY t.v1, t.shard_key
LIMIT 1000
-- $1 = a@b.example
-- $2 = {"tenant \"one\"","00000000-0000-0000-0000-000000000001"}

-- === by_email: without_mapping_statement ===
SELECT u.at
FROM ROWS FROM (
  pg_catalog.unnest($1::text[]),
  pg_catalog.unnest($2::text[]),
  pg_catalog.unnest($3::text[])
) WITH ORDINALITY AS u (v1, s, k, at)
WHERE NOT EXISTS (
  SELECT 1
  FROM shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" AS t
  WHERE t.v1 = u.v1::text
    AND t.shard_key = u.s::text[]
    AND t.row_key = u.k::text[]
)
ORDER BY u.at
-- $1 = {"a@b.example"}
-- $2 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}
-- $3 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}

-- === by_email: source_find_statement ===
SELECT DISTINCT t."Tenant"::text, t."doc id"::text
FROM "Odd ""Schema"""."Mixed Case's" AS t
WHERE t."E-mail" = $1::character varying(200)
ORDER BY t."Tenant"::text, t."doc id"::text
LIMIT 101
-- $1 = a@b.example

-- === by_email: all_open_statement ===
SELECT coalesce(pg_catalog.bool_and(f.is_open), false)
FROM shardway."fence_documents" f

-- === by_email: row_holds_statement ===
SELECT 1
FROM "Odd ""Schema"""."Mixed Case's" AS t
WHERE t."E-mail" = $1::character varying(200)
  AND t."Tenant" = $2::"Odd ""Schema""".tenant AND t."doc id" = $3::uuid AND t."Tenant" = $4::"Odd ""Schema""".tenant AND t."doc id" = $5::uuid
LIMIT 1
-- $1 = a@b.example
-- $2 = tenant "one"
-- $3 = 00000000-0000-0000-0000-000000000001
-- $4 = tenant "one"
-- $5 = 00000000-0000-0000-0000-000000000001

-- === by_email: base_page_statement, first ===
SELECT t."Tenant"::text, t."doc id"::text, t."Tenant"::text, t."doc id"::text, t."E-mail"::text
FROM "Odd ""Schema"""."Mixed Case's" AS t
WHERE true
ORDER BY t."Tenant", t."doc id"
LIMIT 1000

-- === by_email: base_page_statement, next ===
SELECT t."Tenant"::text, t."doc id"::text, t."Tenant"::text, t."doc id"::text, t."E-mail"::text
FROM "Odd ""Schema"""."Mixed Case's" AS t
WHERE (t."Tenant", t."doc id") > ($1::"Odd ""Schema""".tenant, $2::uuid)
ORDER BY t."Tenant", t."doc id"
LIMIT 1000
-- $1 = other
-- $2 = 00000000-0000-0000-0000-000000000002

-- === by_email: without_row_statement ===
SELECT u.at
FROM ROWS FROM (
  pg_catalog.unnest($1::text[]),
  pg_catalog.unnest($2::text[]),
  pg_catalog.unnest($3::text[])
) WITH ORDINALITY AS u (v1, s, k, at)
WHERE NOT EXISTS (
  SELECT 1
  FROM "Odd ""Schema"""."Mixed Case's" AS t
  WHERE t."E-mail" = u.v1::character varying(200)
    AND t."Tenant" = (u.s::text[])[1]::"Odd ""Schema""".tenant AND t."doc id" = (u.s::text[])[2]::uuid AND t."Tenant" = (u.k::text[])[1]::"Odd ""Schema""".tenant AND t."doc id" = (u.k::text[])[2]::uuid
)
ORDER BY u.at
-- $1 = {"a@b.example"}
-- $2 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}
-- $3 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}

-- === by_device: lookup_lock_statement, shared ===
SELECT pg_catalog.pg_advisory_xact_lock_shared(shardway.key_lock_class($1::text), u.slot)
FROM pg_catalog.unnest($2::int4[]) AS u (slot)
-- $1 = lookup Odd "Schema".Mixed Case's.by_device
-- $2 = {"7","1023"}

-- === by_device: lookup_lock_statement, exclusive ===
SELECT pg_catalog.pg_advisory_xact_lock(shardway.key_lock_class($1::text), u.slot)
FROM pg_catalog.unnest($2::int4[]) AS u (slot)
-- $1 = lookup Odd "Schema".Mixed Case's.by_device
-- $2 = {"7","1023"}

-- === by_device: lookup_insert_statement ===
INSERT INTO shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" (v1, v2, shard_key, row_key)
SELECT u.v1::bytea, u.v2::bigint, u.s::text[], u.k::text[]
FROM ROWS FROM (
  pg_catalog.unnest($1::text[]),
  pg_catalog.unnest($2::text[]),
  pg_catalog.unnest($3::text[]),
  pg_catalog.unnest($4::text[])
) WITH ORDINALITY AS u (v1, v2, s, k, at)
-- Sorted, so that two writers cannot deadlock.
ORDER BY 1, u.s, u.at
ON CONFLICT DO NOTHING
-- $1 = {"\\x00ff"}
-- $2 = {"-7"}
-- $3 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}
-- $4 = {"{}"}

-- === by_device: lookup_holders_statement ===
SELECT t.shard_key[1], t.shard_key[2], t.row_key[1], t.row_key[2]
FROM ROWS FROM (
  pg_catalog.unnest($1::text[]),
  pg_catalog.unnest($2::text[]),
  pg_catalog.unnest($3::text[]),
  pg_catalog.unnest($4::text[])
) WITH ORDINALITY AS u (v1, v2, s, k, at)
LEFT JOIN shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" AS t ON t.v1 = u.v1::bytea AND t.v2 = u.v2::bigint
ORDER BY u.at
-- $1 = {"\\x00ff"}
-- $2 = {"-7"}
-- $3 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}
-- $4 = {"{}"}

-- === by_device: lookup_takeover_statement ===
UPDATE shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" AS t
SET shard_key = $3::text[],
  row_key = $4::text[]
WHERE t.v1 = $1::bytea AND t.v2 = $2::bigint
  AND t.shard_key = $5::text[]
  AND t.row_key = $6::text[]
-- $1 = \x00ff
-- $2 = -7
-- $3 = {"tenant \"one\"","00000000-0000-0000-0000-000000000001"}
-- $4 = {}
-- $5 = {"other","00000000-0000-0000-0000-000000000002"}
-- $6 = {"other","00000000-0000-0000-0000-000000000002"}

-- === by_device: lookup_remove_statement ===
DELETE FROM shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" AS t
WHERE t.v1 = $1::bytea AND t.v2 = $2::bigint
  AND t.shard_key = $3::text[]
  AND t.row_key = $4::text[]
-- $1 = \x00ff
-- $2 = -7
-- $3 = {"tenant \"one\"","00000000-0000-0000-0000-000000000001"}
-- $4 = {}

-- === by_device: lookup_find_statement ===
SELECT t.shard_key[1], t.shard_key[2]
FROM shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" AS t
WHERE t.v1 = $1::bytea AND t.v2 = $2::bigint
ORDER BY t.shard_key
LIMIT 101
-- $1 = \x00ff
-- $2 = -7

-- === by_device: lookup_ready_statement ===
SELECT coalesce(
  (SELECT l.is_ready FROM shardway.lookup l WHERE l.relation = $1::text AND l.name = $2::text),
  false
)
-- $1 = Odd "Schema".Mixed Case's
-- $2 = by_device

-- === by_device: lookup_page_statement, first ===
SELECT (E'\\x' OPERATOR(pg_catalog.||) pg_catalog.encode(t.v1, 'hex')), t.v2::text, t.shard_key[1], t.shard_key[2]
FROM shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" AS t
WHERE true
ORDER BY t.v1, t.v2, t.shard_key
LIMIT 1000

-- === by_device: lookup_page_statement, next ===
SELECT (E'\\x' OPERATOR(pg_catalog.||) pg_catalog.encode(t.v1, 'hex')), t.v2::text, t.shard_key[1], t.shard_key[2]
FROM shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" AS t
WHERE (t.v1, t.v2, t.shard_key) > ($1::bytea, $2::bigint, $3::text[])
ORDER BY t.v1, t.v2, t.shard_key
LIMIT 1000
-- $1 = \x00ff
-- $2 = -7
-- $3 = {"tenant \"one\"","00000000-0000-0000-0000-000000000001"}

-- === by_device: without_mapping_statement ===
SELECT u.at
FROM ROWS FROM (
  pg_catalog.unnest($1::text[]),
  pg_catalog.unnest($2::text[]),
  pg_catalog.unnest($3::text[]),
  pg_catalog.unnest($4::text[])
) WITH ORDINALITY AS u (v1, v2, s, k, at)
WHERE NOT EXISTS (
  SELECT 1
  FROM shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" AS t
  WHERE t.v1 = u.v1::bytea AND t.v2 = u.v2::bigint
    AND t.shard_key = u.s::text[]
    AND t.row_key = u.k::text[]
)
ORDER BY u.at
-- $1 = {"\\x00ff"}
-- $2 = {"-7"}
-- $3 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}
-- $4 = {"{}"}

-- === by_device: source_find_statement ===
SELECT DISTINCT t."Tenant"::text, t."doc id"::text
FROM "Odd ""Schema"""."Mixed Case's" AS t
WHERE t."device" = $1::bytea AND t."number" = $2::smallint
ORDER BY t."Tenant"::text, t."doc id"::text
LIMIT 101
-- $1 = \x00ff
-- $2 = -7

-- === by_device: all_open_statement ===
SELECT coalesce(pg_catalog.bool_and(f.is_open), false)
FROM shardway."fence_documents" f

-- === by_device: row_holds_statement ===
SELECT 1
FROM "Odd ""Schema"""."Mixed Case's" AS t
WHERE t."device" = $1::bytea AND t."number" = $2::smallint
  AND t."Tenant" = $3::"Odd ""Schema""".tenant AND t."doc id" = $4::uuid
LIMIT 1
-- $1 = \x00ff
-- $2 = -7
-- $3 = tenant "one"
-- $4 = 00000000-0000-0000-0000-000000000001

-- === by_device: base_page_statement, first ===
SELECT t."Tenant"::text, t."doc id"::text, t."Tenant"::text, t."doc id"::text, (E'\\x' OPERATOR(pg_catalog.||) pg_catalog.encode(t."device", 'hex')), t."number"::text
FROM "Odd ""Schema"""."Mixed Case's" AS t
WHERE true
ORDER BY t."Tenant", t."doc id"
LIMIT 1000

-- === by_device: base_page_statement, next ===
SELECT t."Tenant"::text, t."doc id"::text, t."Tenant"::text, t."doc id"::text, (E'\\x' OPERATOR(pg_catalog.||) pg_catalog.encode(t."device", 'hex')), t."number"::text
FROM "Odd ""Schema"""."Mixed Case's" AS t
WHERE (t."Tenant", t."doc id") > ($1::"Odd ""Schema""".tenant, $2::uuid)
ORDER BY t."Tenant", t."doc id"
LIMIT 1000
-- $1 = other
-- $2 = 00000000-0000-0000-0000-000000000002

-- === by_device: without_row_statement ===
SELECT u.at
FROM ROWS FROM (
  pg_catalog.unnest($1::text[]),
  pg_catalog.unnest($2::text[]),
  pg_catalog.unnest($3::text[]),
  pg_catalog.unnest($4::text[])
) WITH ORDINALITY AS u (v1, v2, s, k, at)
WHERE NOT EXISTS (
  SELECT 1
  FROM "Odd ""Schema"""."Mixed Case's" AS t
  WHERE t."device" = u.v1::bytea AND t."number" = u.v2::smallint
    AND t."Tenant" = (u.s::text[])[1]::"Odd ""Schema""".tenant AND t."doc id" = (u.s::text[])[2]::uuid
)
ORDER BY u.at
-- $1 = {"\\x00ff"}
-- $2 = {"-7"}
-- $3 = {"{\"tenant \\\"one\\\"\",\"00000000-0000-0000-0000-000000000001\"}"}
-- $4 = {"{}"}
