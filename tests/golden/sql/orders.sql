-- What is installed for table shop.orders.

-- === source: fence of the group ===
-- The fence of a group: which slots this node may write, since which epoch. Rows that are there stay.
CREATE TABLE IF NOT EXISTS shardway."fence_sales" (
  slot_from int PRIMARY KEY,
  slot_to int NOT NULL,
  epoch int NOT NULL,
  is_open boolean NOT NULL,
  wave text NOT NULL DEFAULT '',
  deadline timestamptz,
  CHECK (0 <= slot_from AND slot_from <= slot_to AND slot_to <= 4095),
  CHECK (epoch BETWEEN 0 AND 1023)
);
CREATE TABLE IF NOT EXISTS shardway."fence_lock_sales" (nothing int);
INSERT INTO shardway."fence_sales"
SELECT 0, 4095, 1, true
WHERE NOT EXISTS (SELECT 1 FROM shardway."fence_sales");
GRANT SELECT ON shardway."fence_sales" TO "The App";
-- FOR KEY SHARE and LOCK TABLE ask for UPDATE. The relation stays empty: no INSERT is granted.
GRANT SELECT, UPDATE ON shardway."fence_lock_sales" TO "The App";

-- === shard: fence of the group ===
-- The fence of a group: which slots this node may write, since which epoch. Rows that are there stay.
CREATE TABLE IF NOT EXISTS shardway."fence_sales" (
  slot_from int PRIMARY KEY,
  slot_to int NOT NULL,
  epoch int NOT NULL,
  is_open boolean NOT NULL,
  wave text NOT NULL DEFAULT '',
  deadline timestamptz,
  CHECK (0 <= slot_from AND slot_from <= slot_to AND slot_to <= 4095),
  CHECK (epoch BETWEEN 0 AND 1023)
);
CREATE TABLE IF NOT EXISTS shardway."fence_lock_sales" (nothing int);
INSERT INTO shardway."fence_sales"
SELECT 0, 4095, 0, false
WHERE NOT EXISTS (SELECT 1 FROM shardway."fence_sales");
GRANT SELECT ON shardway."fence_sales" TO "The App";
-- FOR KEY SHARE and LOCK TABLE ask for UPDATE. The relation stays empty: no INSERT is granted.
GRANT SELECT, UPDATE ON shardway."fence_lock_sales" TO "The App";

-- === write guard: recording ===
-- Only where there is one: DROP TRIGGER takes ACCESS EXCLUSIVE even if it finds none, which would wait for
-- every reader, and on a standby end their queries.
DO $f$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT
      g.tgname AS name,
      g.tgrelid::regclass AS relation
    FROM pg_catalog.pg_trigger g
    WHERE g.tgrelid = '"shop"."orders"'::regclass
      AND g.tgname LIKE  E'shardway\\_guard'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- A client that has passed another group's fence is a foreign writer here: a statement of several tables, a
-- function, a cascade. AFTER, because the WHEN of a BEFORE trigger runs before our own statement has set the
-- setting. The setting reads '' after an earlier transaction has set it.
CREATE TRIGGER shardway_guard
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "shop"."orders"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = ''
  OR (
    pg_catalog.starts_with(coalesce(pg_catalog.current_setting('shardway.writer', true), ''), 'client/')
    AND coalesce(pg_catalog.current_setting('shardway.writer', true), '') <> 'client/sales'
  )
)
EXECUTE FUNCTION shardway.record_foreign_write();
-- Also for writers with session_replication_role = replica.
ALTER TABLE ONLY "shop"."orders" ENABLE ALWAYS TRIGGER shardway_guard;

-- === write guard: refusing ===
-- Only where there is one: DROP TRIGGER takes ACCESS EXCLUSIVE even if it finds none, which would wait for
-- every reader, and on a standby end their queries.
DO $f$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT
      g.tgname AS name,
      g.tgrelid::regclass AS relation
    FROM pg_catalog.pg_trigger g
    WHERE g.tgrelid = '"shop"."orders"'::regclass
      AND g.tgname LIKE  E'shardway\\_guard'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- A client that has passed another group's fence is a foreign writer here: a statement of several tables, a
-- function, a cascade. AFTER, because the WHEN of a BEFORE trigger runs before our own statement has set the
-- setting. The setting reads '' after an earlier transaction has set it.
CREATE TRIGGER shardway_guard
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "shop"."orders"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = ''
  OR (
    pg_catalog.starts_with(coalesce(pg_catalog.current_setting('shardway.writer', true), ''), 'client/')
    AND coalesce(pg_catalog.current_setting('shardway.writer', true), '') <> 'client/sales'
  )
)
EXECUTE FUNCTION shardway.refuse_foreign_write();
-- Also for writers with session_replication_role = replica.
ALTER TABLE ONLY "shop"."orders" ENABLE ALWAYS TRIGGER shardway_guard;

-- === write guard: absent ===
DROP TRIGGER IF EXISTS shardway_guard ON "shop"."orders";

-- === source: shard key trigger ===
-- Only where there is one: DROP TRIGGER takes ACCESS EXCLUSIVE even if it finds none, which would wait for
-- every reader, and on a standby end their queries.
DO $f$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT
      g.tgname AS name,
      g.tgrelid::regclass AS relation
    FROM pg_catalog.pg_trigger g
    WHERE g.tgrelid = '"shop"."orders"'::regclass
      AND g.tgname LIKE  E'shardway\\_key\\_change'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- On the source: writes the old place of a row whose shard key changes to the outbox (operation k), so that
-- the stream takes the row away from its old shard.
CREATE OR REPLACE FUNCTION shardway."key_change_shop.orders"()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $f$
DECLARE
  held record;
BEGIN
  SELECT epoch, is_open INTO held
  FROM shardway."fence_sales"
  WHERE slot_from <= shardway.slot_of(OLD."customer_id")
    AND slot_to >= shardway.slot_of(OLD."customer_id");
  IF NOT held.is_open THEN
    RAISE EXCEPTION 'shardway: the old shard key of a row of % has moved', TG_TABLE_NAME
      USING ERRCODE = 'SW004';
  END IF;
  INSERT INTO shardway.outbox (
    version, write_id, ordinal, epoch, relation, slot, operation, key_values, shard_key_values
  )
  VALUES (
    shardway.row_version(held.epoch, pg_current_wal_insert_lsn()),
    gen_random_uuid(),
    0,
    held.epoch,
    'shop.orders',
    shardway.slot_of(OLD."customer_id"),
    'k',
    ARRAY[OLD."customer_id"::text, OLD."id"::text],
    ARRAY[OLD."customer_id"::text]
  );
  RETURN NULL;
END $f$;
REVOKE ALL ON FUNCTION shardway."key_change_shop.orders"() FROM PUBLIC;
-- A partition that is made or attached later gets the trigger in the name of who does it, who must be allowed
-- to call the function.
DO $f$
BEGIN
  EXECUTE (
    SELECT pg_catalog.format('GRANT EXECUTE ON FUNCTION %s() TO %I', 'shardway."key_change_shop.orders"', pg_get_userbyid(relowner))
    FROM pg_catalog.pg_class
    WHERE oid = '"shop"."orders"'::regclass
  );
END $f$;
CREATE TRIGGER shardway_key_change
AFTER UPDATE OF "customer_id" ON "shop"."orders"
FOR EACH ROW
WHEN (OLD."customer_id" IS DISTINCT FROM NEW."customer_id")
EXECUTE FUNCTION shardway."key_change_shop.orders"();

-- === source: no shard key trigger ===
DROP TRIGGER IF EXISTS shardway_key_change ON "shop"."orders";
DROP FUNCTION IF EXISTS shardway."key_change_shop.orders"();

-- === shard: table ===
ALTER TABLE "shop"."orders" ADD COLUMN IF NOT EXISTS _shardway_version bigint NOT NULL DEFAULT 0;
-- The guarded apply of one row. The locks come first, of the key (W7) and of the table, for which a TRUNCATE
-- waits (W10); then the checks in statements with newer snapshots (W8).
-- It trusts no slot that it is given: where this node has authority for any slot, the row's own slot decides
-- (AP10, AP15). It does nothing that its caller may not do to the table.
-- search_path holds no schema of a user, so format_type wrote the types qualified (P2). Variables are named
-- with the block's label, so that no column can hide them.
CREATE OR REPLACE FUNCTION shardway."apply_shop.orders"(
  p_write_id uuid,
  p_ordinal int,
  p_version bigint,
  p_slot int,
  p_remove boolean,
  p_key text[],
  p_image text[]
)
RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
AS $f$
#variable_conflict use_column
<<apply>>
DECLARE
  held record;
  applied pg_lsn;
  split boolean;
  version bigint := p_version;
  key text[] := p_key;
  image text[] := p_image;
  caller name := coalesce(nullif(current_setting('role'), 'none'), session_user);
BEGIN
  IF NOT (
    CASE
      WHEN p_remove THEN has_table_privilege(apply.caller, '"shop"."orders"'::regclass, 'DELETE')
      ELSE
        has_any_column_privilege(apply.caller, '"shop"."orders"'::regclass, 'INSERT')
        OR has_any_column_privilege(apply.caller, '"shop"."orders"'::regclass, 'UPDATE')
    END
  ) THEN
    RETURN 'not_permitted';
  END IF;
  PERFORM pg_advisory_xact_lock(shardway.key_lock_class('shop.orders'), shardway.key_lock_bucket(apply.key));
  -- Before progress is read: a TRUNCATE is then before or after all of this.
  LOCK TABLE "shop"."orders" IN ROW EXCLUSIVE MODE;
  PERFORM 1
  FROM shardway."fence_lock_sales"
  WHERE false
  FOR KEY SHARE;
  SELECT epoch, is_open INTO apply.held
  FROM shardway."fence_sales"
  WHERE slot_from <= p_slot
    AND slot_to >= p_slot;
  IF apply.held.is_open THEN
    RETURN 'authority';
  END IF;
  IF apply.held.epoch IS DISTINCT FROM (apply.version >> 53)::int THEN
    RETURN 'other_epoch';
  END IF;
  SELECT EXISTS (
    SELECT 1
    FROM shardway."fence_sales"
    WHERE is_open
  ) INTO apply.split;
  IF apply.split AND NOT p_remove AND shardway.slot_of(apply.image[1]::bigint) IS DISTINCT FROM p_slot THEN
    RETURN 'other_slot';
  END IF;
  SELECT applied_lsn INTO apply.applied
  FROM shardway.stream_progress
  WHERE stream = 'source'
  ORDER BY id DESC
  LIMIT 1;
  IF apply.version <= shardway.row_version(apply.held.epoch, apply.applied) THEN
    RETURN 'delivered';
  END IF;
  IF p_remove THEN
    DELETE FROM "shop"."orders" AS t
    WHERE t."customer_id" = apply.key[1]::bigint
      AND t."id" = apply.key[2]::bigint
      AND t._shardway_version <= apply.version
      AND (NOT apply.split OR pg_catalog.width_bucket(shardway.slot_of(t."customer_id"), ARRAY(SELECT e.edge FROM shardway."fence_sales" AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) WHERE f.is_open ORDER BY e.edge)) % 2 = 0);
  ELSE
    INSERT INTO "shop"."orders" AS t ("customer_id", "id", "note", _shardway_version)
    OVERRIDING SYSTEM VALUE
    SELECT
      apply.image[1]::bigint,
      apply.image[2]::bigint,
      apply.image[3]::text,
      apply.version
    ON CONFLICT ("customer_id", "id") DO UPDATE
    SET
      "note" = excluded."note",
      _shardway_version = excluded._shardway_version
    WHERE t._shardway_version < excluded._shardway_version
      AND (NOT apply.split OR pg_catalog.width_bucket(shardway.slot_of(t."customer_id"), ARRAY(SELECT e.edge FROM shardway."fence_sales" AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) WHERE f.is_open ORDER BY e.edge)) % 2 = 0);
  END IF;
  IF FOUND THEN
    INSERT INTO shardway.dual_applied (write_id, ordinal)
    VALUES (p_write_id, p_ordinal);
    RETURN 'applied';
  END IF;
  IF apply.split AND NOT p_remove THEN
    PERFORM 1
    FROM "shop"."orders" AS t
    WHERE t."customer_id" = apply.key[1]::bigint
      AND t."id" = apply.key[2]::bigint
      AND NOT (pg_catalog.width_bucket(shardway.slot_of(t."customer_id"), ARRAY(SELECT e.edge FROM shardway."fence_sales" AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) WHERE f.is_open ORDER BY e.edge)) % 2 = 0);
    IF FOUND THEN
      RETURN 'conflict';
    END IF;
  END IF;
  RETURN 'newer_present';
END $f$;
REVOKE ALL ON FUNCTION shardway."apply_shop.orders"(uuid, int, bigint, int, boolean, text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shardway."apply_shop.orders"(uuid, int, bigint, int, boolean, text[], text[]) TO "The App";
-- On a shard a row keeps its shard key: under a new one it may belong to another node.
DROP TRIGGER IF EXISTS shardway_key_change ON "shop"."orders";
CREATE TRIGGER shardway_key_change
BEFORE UPDATE OF "customer_id" ON "shop"."orders"
FOR EACH ROW
WHEN (OLD."customer_id" IS DISTINCT FROM NEW."customer_id")
EXECUTE FUNCTION shardway.refuse_shard_key_change();

-- === shard: table, finalizing ===
DROP FUNCTION IF EXISTS shardway."apply_shop.orders"(uuid, int, bigint, int, boolean, text[], text[]);
DROP TRIGGER IF EXISTS shardway_key_change ON "shop"."orders";
DO $f$
DECLARE
  leaf record;
BEGIN
  FOR leaf IN
    SELECT
      i.indexrelid::regclass AS index,
      i.indrelid::regclass AS relation
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    WHERE c.relname LIKE 'shardway\_identity\_%'
      AND i.indrelid IN (
        SELECT coalesce(t.relid, r.oid)
        FROM pg_catalog.pg_class r
        LEFT JOIN LATERAL pg_catalog.pg_partition_tree(r.oid) t ON true
        WHERE r.oid = '"shop"."orders"'::regclass
      )
  LOOP
    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT', leaf.relation);
    EXECUTE format('DROP INDEX %s', leaf.index);
  END LOOP;
END $f$;
ALTER TABLE "shop"."orders" DROP COLUMN IF EXISTS _shardway_version;
ALTER TABLE "shop"."orders" DROP CONSTRAINT IF EXISTS shardway_source_holds;

-- === source: capture ===
CREATE OR REPLACE FUNCTION shardway.refuse_raw(p_table text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  RAISE EXCEPTION 'shardway: a change of % that can''t be captured was refused', p_table
    USING
      ERRCODE = 'SW009',
      HINT = 'Send it through execute, or give the table capture: TRIGGER. TRUNCATE is never captured.';
END $f$;

CREATE OR REPLACE FUNCTION shardway.refuse_raw_change()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  PERFORM shardway.refuse_raw(format('%s.%s', TG_TABLE_SCHEMA, TG_TABLE_NAME));
  RETURN NULL;
END $f$;
-- Only where there is one: DROP TRIGGER takes ACCESS EXCLUSIVE even if it finds none, which would wait for
-- every reader, and on a standby end their queries.
DO $f$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT
      g.tgname AS name,
      g.tgrelid::regclass AS relation
    FROM pg_catalog.pg_trigger g
    WHERE g.tgrelid = '"shop"."orders"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- For a table that is captured by statement: refuses a raw change by a client of its own group. A raw change
-- is one that no trigger made: what triggers and cascades change beside a framed statement are side effects.
CREATE TRIGGER shardway_capture
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "shop"."orders"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
  AND pg_catalog.pg_trigger_depth() = 0
)
EXECUTE FUNCTION shardway.refuse_raw_change();
ALTER TABLE ONLY "shop"."orders" ENABLE ALWAYS TRIGGER shardway_capture;
DROP FUNCTION IF EXISTS shardway."capture_shop.orders"();

-- === shard: capture ===
CREATE OR REPLACE FUNCTION shardway.refuse_raw(p_table text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  RAISE EXCEPTION 'shardway: a change of % that can''t be captured was refused', p_table
    USING
      ERRCODE = 'SW009',
      HINT = 'Send it through execute, or give the table capture: TRIGGER. TRUNCATE is never captured.';
END $f$;

CREATE OR REPLACE FUNCTION shardway.refuse_raw_change()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $f$
BEGIN
  PERFORM shardway.refuse_raw(format('%s.%s', TG_TABLE_SCHEMA, TG_TABLE_NAME));
  RETURN NULL;
END $f$;
-- Only where there is one: DROP TRIGGER takes ACCESS EXCLUSIVE even if it finds none, which would wait for
-- every reader, and on a standby end their queries.
DO $f$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT
      g.tgname AS name,
      g.tgrelid::regclass AS relation
    FROM pg_catalog.pg_trigger g
    WHERE g.tgrelid = '"shop"."orders"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- For a table that is captured by statement: refuses a raw change by a client of its own group. A raw change
-- is one that no trigger made: what triggers and cascades change beside a framed statement are side effects.
CREATE TRIGGER shardway_capture
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "shop"."orders"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
  AND pg_catalog.pg_trigger_depth() = 0
)
EXECUTE FUNCTION shardway.refuse_raw_change();
ALTER TABLE ONLY "shop"."orders" ENABLE ALWAYS TRIGGER shardway_capture;
DROP FUNCTION IF EXISTS shardway."capture_shop.orders"();

-- === no capture ===
-- Only where there is one: DROP TRIGGER takes ACCESS EXCLUSIVE even if it finds none, which would wait for
-- every reader, and on a standby end their queries.
DO $f$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT
      g.tgname AS name,
      g.tgrelid::regclass AS relation
    FROM pg_catalog.pg_trigger g
    WHERE g.tgrelid = '"shop"."orders"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
DROP FUNCTION IF EXISTS shardway."capture_shop.orders"();
