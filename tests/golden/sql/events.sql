-- What is installed for table shop.events.

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
    WHERE g.tgrelid = '"shop"."events_2026_01"'::regclass
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
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "shop"."events_2026_01"
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
ALTER TABLE ONLY "shop"."events_2026_01" ENABLE ALWAYS TRIGGER shardway_guard;
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
    WHERE g.tgrelid = '"shop"."Events 2026 02"'::regclass
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
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "shop"."Events 2026 02"
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
ALTER TABLE ONLY "shop"."Events 2026 02" ENABLE ALWAYS TRIGGER shardway_guard;
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
    WHERE g.tgrelid = '"shop"."events"'::regclass
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
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "shop"."events"
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
ALTER TABLE ONLY "shop"."events" ENABLE ALWAYS TRIGGER shardway_guard;

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
    WHERE g.tgrelid = '"shop"."events_2026_01"'::regclass
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
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "shop"."events_2026_01"
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
ALTER TABLE ONLY "shop"."events_2026_01" ENABLE ALWAYS TRIGGER shardway_guard;
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
    WHERE g.tgrelid = '"shop"."Events 2026 02"'::regclass
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
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "shop"."Events 2026 02"
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
ALTER TABLE ONLY "shop"."Events 2026 02" ENABLE ALWAYS TRIGGER shardway_guard;
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
    WHERE g.tgrelid = '"shop"."events"'::regclass
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
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "shop"."events"
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
ALTER TABLE ONLY "shop"."events" ENABLE ALWAYS TRIGGER shardway_guard;

-- === write guard: absent ===
DROP TRIGGER IF EXISTS shardway_guard ON "shop"."events_2026_01";
DROP TRIGGER IF EXISTS shardway_guard ON "shop"."Events 2026 02";
DROP TRIGGER IF EXISTS shardway_guard ON "shop"."events";

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
    WHERE g.tgrelid = '"shop"."events"'::regclass
      AND g.tgname LIKE  E'shardway\\_key\\_change'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- On the source: writes the old place of a row whose shard key changes to the outbox (operation k), so that
-- the stream takes the row away from its old shard.
CREATE OR REPLACE FUNCTION shardway."key_change_shop.events"()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $f0$
DECLARE
  held record;
BEGIN
  SELECT epoch, is_open INTO held
  FROM shardway."fence_sales"
  WHERE slot_from <= shardway.slot_of_parts(shardway.key_part(OLD."region $f$"), shardway.key_part(OLD."account"), shardway.key_part(OLD."id"))
    AND slot_to >= shardway.slot_of_parts(shardway.key_part(OLD."region $f$"), shardway.key_part(OLD."account"), shardway.key_part(OLD."id"));
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
    'shop.events',
    shardway.slot_of_parts(shardway.key_part(OLD."region $f$"), shardway.key_part(OLD."account"), shardway.key_part(OLD."id")),
    'k',
    ARRAY[OLD."id"::text, CASE WHEN (SELECT shardway.prints_canonically()) THEN OLD."happened_at"::text ELSE shardway.value_text(OLD."happened_at") END],
    ARRAY[OLD."region $f$"::text, OLD."account"::text, OLD."id"::text]
  );
  RETURN NULL;
END $f0$;
REVOKE ALL ON FUNCTION shardway."key_change_shop.events"() FROM PUBLIC;
-- A partition that is made or attached later gets the trigger in the name of who does it, who must be allowed
-- to call the function.
DO $f0$
BEGIN
  EXECUTE (
    SELECT pg_catalog.format('GRANT EXECUTE ON FUNCTION %s() TO %I', 'shardway."key_change_shop.events"', pg_get_userbyid(relowner))
    FROM pg_catalog.pg_class
    WHERE oid = '"shop"."events"'::regclass
  );
END $f0$;
CREATE TRIGGER shardway_key_change
AFTER UPDATE OF "region $f$", "account", "id" ON "shop"."events"
FOR EACH ROW
WHEN (OLD."region $f$" IS DISTINCT FROM NEW."region $f$" OR OLD."account" IS DISTINCT FROM NEW."account" OR OLD."id" IS DISTINCT FROM NEW."id")
EXECUTE FUNCTION shardway."key_change_shop.events"();

-- === source: no shard key trigger ===
DROP TRIGGER IF EXISTS shardway_key_change ON "shop"."events";
DROP FUNCTION IF EXISTS shardway."key_change_shop.events"();

-- === shard: table ===
ALTER TABLE "shop"."events" ADD COLUMN IF NOT EXISTS _shardway_version bigint NOT NULL DEFAULT 0;
-- Puts the shard key into the replica identity, so that the deletes of a reverse stream name both keys.
DO $f0$
DECLARE
  leaf regclass;
  index_name text;
BEGIN
  FOR leaf IN
    SELECT coalesce(t.relid, c.oid)::regclass
    FROM pg_catalog.pg_class c
    LEFT JOIN LATERAL pg_catalog.pg_partition_tree(c.oid) t ON true
    WHERE c.oid = '"shop"."events"'::regclass
      AND coalesce(t.isleaf, true)
  LOOP
    index_name := 'shardway_identity_' || substr(md5(leaf::text), 1, 16);
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relname = index_name) THEN
      EXECUTE format('CREATE UNIQUE INDEX %I ON %s (%s)', index_name, leaf, '"id", "happened_at", "region $f$", "account"');
    END IF;
    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %I', leaf, index_name);
  END LOOP;
END $f0$;
-- The guarded apply of one row. The locks come first, of the key (W7) and of the table, for which a TRUNCATE
-- waits (W10); then the checks in statements with newer snapshots (W8).
-- It trusts no slot that it is given: where this node has authority for any slot, the row's own slot decides
-- (AP10, AP15). It does nothing that its caller may not do to the table.
-- search_path holds no schema of a user, so format_type wrote the types qualified (P2). Variables are named
-- with the block's label, so that no column can hide them.
CREATE OR REPLACE FUNCTION shardway."apply_shop.events"(
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
AS $f0$
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
      WHEN p_remove THEN has_table_privilege(apply.caller, '"shop"."events"'::regclass, 'DELETE')
      ELSE
        has_any_column_privilege(apply.caller, '"shop"."events"'::regclass, 'INSERT')
        OR has_any_column_privilege(apply.caller, '"shop"."events"'::regclass, 'UPDATE')
    END
  ) THEN
    RETURN 'not_permitted';
  END IF;
  PERFORM pg_advisory_xact_lock(shardway.key_lock_class('shop.events'), shardway.key_lock_bucket(apply.key));
  -- Before progress is read: a TRUNCATE is then before or after all of this.
  LOCK TABLE "shop"."events" IN ROW EXCLUSIVE MODE;
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
  IF apply.split AND NOT p_remove AND shardway.slot_of_parts(shardway.key_part(apply.image[3]::text), shardway.key_part(apply.image[4]::integer), shardway.key_part(apply.image[1]::uuid)) IS DISTINCT FROM p_slot THEN
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
    DELETE FROM "shop"."events" AS t
    WHERE t."id" = apply.key[1]::uuid
      AND t."happened_at" = apply.key[2]::timestamp with time zone
      AND t._shardway_version <= apply.version
      AND (NOT apply.split OR pg_catalog.width_bucket(shardway.slot_of_parts(shardway.key_part(t."region $f$"), shardway.key_part(t."account"), shardway.key_part(t."id")), ARRAY(SELECT e.edge FROM shardway."fence_sales" AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) WHERE f.is_open ORDER BY e.edge)) % 2 = 0);
  ELSE
    INSERT INTO "shop"."events" AS t ("id", "happened_at", "region $f$", "account", "state", _shardway_version)
    OVERRIDING SYSTEM VALUE
    SELECT
      apply.image[1]::uuid,
      apply.image[2]::timestamp with time zone,
      apply.image[3]::text,
      apply.image[4]::integer,
      apply.image[5]::shop.event_state,
      apply.version
    ON CONFLICT ("id", "happened_at") DO UPDATE
    SET
      "region $f$" = excluded."region $f$",
      "account" = excluded."account",
      "state" = excluded."state",
      _shardway_version = excluded._shardway_version
    WHERE t._shardway_version < excluded._shardway_version
      AND (NOT apply.split OR pg_catalog.width_bucket(shardway.slot_of_parts(shardway.key_part(t."region $f$"), shardway.key_part(t."account"), shardway.key_part(t."id")), ARRAY(SELECT e.edge FROM shardway."fence_sales" AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) WHERE f.is_open ORDER BY e.edge)) % 2 = 0);
  END IF;
  IF FOUND THEN
    INSERT INTO shardway.dual_applied (write_id, ordinal)
    VALUES (p_write_id, p_ordinal);
    RETURN 'applied';
  END IF;
  IF apply.split AND NOT p_remove THEN
    PERFORM 1
    FROM "shop"."events" AS t
    WHERE t."id" = apply.key[1]::uuid
      AND t."happened_at" = apply.key[2]::timestamp with time zone
      AND NOT (pg_catalog.width_bucket(shardway.slot_of_parts(shardway.key_part(t."region $f$"), shardway.key_part(t."account"), shardway.key_part(t."id")), ARRAY(SELECT e.edge FROM shardway."fence_sales" AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) WHERE f.is_open ORDER BY e.edge)) % 2 = 0);
    IF FOUND THEN
      RETURN 'conflict';
    END IF;
  END IF;
  RETURN 'newer_present';
END $f0$;
REVOKE ALL ON FUNCTION shardway."apply_shop.events"(uuid, int, bigint, int, boolean, text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shardway."apply_shop.events"(uuid, int, bigint, int, boolean, text[], text[]) TO "The App";
-- On a shard a row keeps its shard key: under a new one it may belong to another node.
DROP TRIGGER IF EXISTS shardway_key_change ON "shop"."events";
CREATE TRIGGER shardway_key_change
BEFORE UPDATE OF "region $f$", "account", "id" ON "shop"."events"
FOR EACH ROW
WHEN (OLD."region $f$" IS DISTINCT FROM NEW."region $f$" OR OLD."account" IS DISTINCT FROM NEW."account" OR OLD."id" IS DISTINCT FROM NEW."id")
EXECUTE FUNCTION shardway.refuse_shard_key_change();

-- === shard: table, finalizing ===
DROP FUNCTION IF EXISTS shardway."apply_shop.events"(uuid, int, bigint, int, boolean, text[], text[]);
DROP TRIGGER IF EXISTS shardway_key_change ON "shop"."events";
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
        WHERE r.oid = '"shop"."events"'::regclass
      )
  LOOP
    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT', leaf.relation);
    EXECUTE format('DROP INDEX %s', leaf.index);
  END LOOP;
END $f$;
ALTER TABLE "shop"."events" DROP COLUMN IF EXISTS _shardway_version;
ALTER TABLE "shop"."events" DROP CONSTRAINT IF EXISTS shardway_source_holds;

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
-- Checks the shard key of every row that a statement changed and, on the source, writes the outbox rows.
-- SECURITY DEFINER: it may run below a function whose owner has no rights on the outbox. Keys are printed as the
-- stream prints them, whatever the session has set.
CREATE OR REPLACE FUNCTION shardway."capture_shop.events"()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $f0$
#variable_conflict use_variable
DECLARE
  routed text[];
  seen bigint;
  epoch_now int;
  version_now bigint;
  last_ordinal int;
  lines text;
BEGIN
  IF TG_OP = 'TRUNCATE' OR coalesce(current_setting('shardway.capture', true), '') = '' THEN
    PERFORM shardway.refuse_raw('shop.events');
  END IF;

  -- How many rows the transaction's triggers have seen changed, for the receipt.
  IF TG_OP = 'DELETE' THEN
    SELECT count(*) INTO seen
    FROM shardway_old;
  ELSE
    SELECT count(*) INTO seen
    FROM shardway_new;
  END IF;
  IF seen = 0 THEN
    RETURN NULL;
  END IF;
  PERFORM set_config(
    'shardway.changed',
    (coalesce(nullif(current_setting('shardway.changed', true), '')::bigint, 0) + seen)::text,
    true
  );

  -- The shard key that the transaction was routed by.
  routed := current_setting('shardway.key')::text[];
  IF TG_OP <> 'DELETE' THEN
    IF EXISTS (
      SELECT 1
      FROM shardway_new c
      WHERE c."region $f$" IS DISTINCT FROM routed[1]::text OR c."account" IS DISTINCT FROM routed[2]::integer OR c."id" IS DISTINCT FROM routed[3]::uuid
    ) THEN
      PERFORM shardway.refuse_key('shop.events');
    END IF;
  END IF;
  IF TG_OP = 'DELETE' THEN
    IF EXISTS (
      SELECT 1
      FROM shardway_old c
      WHERE c."region $f$" IS DISTINCT FROM routed[1]::text OR c."account" IS DISTINCT FROM routed[2]::integer OR c."id" IS DISTINCT FROM routed[3]::uuid
    ) THEN
      PERFORM shardway.refuse_key('shop.events');
    END IF;
  ELSIF TG_OP = 'UPDATE' THEN
    IF EXISTS (
      -- On the source a row may come from another shard key while the source has authority there too: the
      -- trigger shardway_key_change, or the old tuple in the stream, names its old place (W20).
      SELECT 1
      FROM shardway_old c
      LEFT JOIN shardway."fence_sales" f ON f.slot_from <= shardway.slot_of_parts(shardway.key_part(c."region $f$"), shardway.key_part(c."account"), shardway.key_part(c."id")) AND f.slot_to >= shardway.slot_of_parts(shardway.key_part(c."region $f$"), shardway.key_part(c."account"), shardway.key_part(c."id"))
      WHERE (c."region $f$" IS DISTINCT FROM routed[1]::text OR c."account" IS DISTINCT FROM routed[2]::integer OR c."id" IS DISTINCT FROM routed[3]::uuid)
        AND NOT coalesce(f.is_open, false)
    ) THEN
      PERFORM shardway.refuse_key('shop.events');
    END IF;
  END IF;

  IF current_setting('shardway.capture') <> 'outbox' THEN
    RETURN NULL;
  END IF;
  epoch_now := current_setting('shardway.epoch')::int;
  -- Read after the change, in a statement of its own: it lies between the change and the commit.
  version_now := shardway.row_version(epoch_now, pg_current_wal_insert_lsn());
  -- Ordinals count down from -1, those of frames up from 1: a transaction may have both.
  last_ordinal := coalesce(nullif(current_setting('shardway.ordinal', true), '')::int, 0);
  IF TG_OP = 'INSERT' THEN
    -- The outbox rows, and a line each for the library, which reads the images before COMMIT. ROLLBACK TO
    -- SAVEPOINT takes both back.
    WITH changed AS (
      SELECT
        'i' AS operation,
        ARRAY[c."id"::text, CASE WHEN (SELECT shardway.prints_canonically()) THEN c."happened_at"::text ELSE shardway.value_text(c."happened_at") END] AS key_values,
        ARRAY[c."region $f$"::text, c."account"::text, c."id"::text] AS shard_key_values
      FROM shardway_new c
    ),
    numbered AS (
      SELECT
        c.*,
        last_ordinal - (row_number() OVER (ORDER BY operation))::int AS ordinal
      FROM changed c
    ),
    written AS (
      INSERT INTO shardway.outbox (
        version, write_id, ordinal, epoch, relation, slot, operation, key_values, shard_key_values
      )
      SELECT
        version_now,
        current_setting('shardway.write_id')::uuid,
        ordinal,
        epoch_now,
        'shop.events',
        current_setting('shardway.slot')::int,
        operation::"char",
        key_values,
        shard_key_values
      FROM numbered
    )
    SELECT
      string_agg(
        jsonb_build_array(
          version_now::text,
          ordinal::text,
          operation,
          'shop.events',
          to_jsonb(key_values),
          current_setting('shardway.slot')
        )::text || E'\n',
        ''
        ORDER BY ordinal DESC
      ),
      coalesce(min(ordinal), last_ordinal)
    INTO lines, last_ordinal
    FROM numbered;
  ELSIF TG_OP = 'UPDATE' THEN
    -- The outbox rows, and a line each for the library, which reads the images before COMMIT. ROLLBACK TO
    -- SAVEPOINT takes both back.
    WITH changed AS (
      -- A row whose primary key changed is a removed one and a new one. Of a row that came from another
      -- shard key the trigger shardway_key_change removes the old place.
      SELECT
        'd' AS operation,
        ARRAY[c."id"::text, CASE WHEN (SELECT shardway.prints_canonically()) THEN c."happened_at"::text ELSE shardway.value_text(c."happened_at") END] AS key_values,
        ARRAY[c."region $f$"::text, c."account"::text, c."id"::text] AS shard_key_values
      FROM shardway_old c
      WHERE NOT (c."region $f$" IS DISTINCT FROM routed[1]::text OR c."account" IS DISTINCT FROM routed[2]::integer OR c."id" IS DISTINCT FROM routed[3]::uuid)
        AND ARRAY[c."id"::text, CASE WHEN (SELECT shardway.prints_canonically()) THEN c."happened_at"::text ELSE shardway.value_text(c."happened_at") END] NOT IN (SELECT ARRAY[n."id"::text, CASE WHEN (SELECT shardway.prints_canonically()) THEN n."happened_at"::text ELSE shardway.value_text(n."happened_at") END] FROM shardway_new n)
      UNION ALL
      SELECT
        'u' AS operation,
        ARRAY[c."id"::text, CASE WHEN (SELECT shardway.prints_canonically()) THEN c."happened_at"::text ELSE shardway.value_text(c."happened_at") END] AS key_values,
        ARRAY[c."region $f$"::text, c."account"::text, c."id"::text] AS shard_key_values
      FROM shardway_new c
    ),
    numbered AS (
      SELECT
        c.*,
        last_ordinal - (row_number() OVER (ORDER BY operation))::int AS ordinal
      FROM changed c
    ),
    written AS (
      INSERT INTO shardway.outbox (
        version, write_id, ordinal, epoch, relation, slot, operation, key_values, shard_key_values
      )
      SELECT
        version_now,
        current_setting('shardway.write_id')::uuid,
        ordinal,
        epoch_now,
        'shop.events',
        current_setting('shardway.slot')::int,
        operation::"char",
        key_values,
        shard_key_values
      FROM numbered
    )
    SELECT
      string_agg(
        jsonb_build_array(
          version_now::text,
          ordinal::text,
          operation,
          'shop.events',
          to_jsonb(key_values),
          current_setting('shardway.slot')
        )::text || E'\n',
        ''
        ORDER BY ordinal DESC
      ),
      coalesce(min(ordinal), last_ordinal)
    INTO lines, last_ordinal
    FROM numbered;
  ELSE
    -- The outbox rows, and a line each for the library, which reads the images before COMMIT. ROLLBACK TO
    -- SAVEPOINT takes both back.
    WITH changed AS (
      SELECT
        'd' AS operation,
        ARRAY[c."id"::text, CASE WHEN (SELECT shardway.prints_canonically()) THEN c."happened_at"::text ELSE shardway.value_text(c."happened_at") END] AS key_values,
        ARRAY[c."region $f$"::text, c."account"::text, c."id"::text] AS shard_key_values
      FROM shardway_old c
    ),
    numbered AS (
      SELECT
        c.*,
        last_ordinal - (row_number() OVER (ORDER BY operation))::int AS ordinal
      FROM changed c
    ),
    written AS (
      INSERT INTO shardway.outbox (
        version, write_id, ordinal, epoch, relation, slot, operation, key_values, shard_key_values
      )
      SELECT
        version_now,
        current_setting('shardway.write_id')::uuid,
        ordinal,
        epoch_now,
        'shop.events',
        current_setting('shardway.slot')::int,
        operation::"char",
        key_values,
        shard_key_values
      FROM numbered
    )
    SELECT
      string_agg(
        jsonb_build_array(
          version_now::text,
          ordinal::text,
          operation,
          'shop.events',
          to_jsonb(key_values),
          current_setting('shardway.slot')
        )::text || E'\n',
        ''
        ORDER BY ordinal DESC
      ),
      coalesce(min(ordinal), last_ordinal)
    INTO lines, last_ordinal
    FROM numbered;
  END IF;
  IF lines IS NOT NULL THEN
    PERFORM
      set_config('shardway.ordinal', last_ordinal::text, true),
      set_config(
        'shardway.captured',
        coalesce(current_setting('shardway.captured', true), '') || lines,
        true
      );
  END IF;
  RETURN NULL;
END $f0$;
REVOKE ALL ON FUNCTION shardway."capture_shop.events"() FROM PUBLIC;
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
    WHERE g.tgrelid = '"shop"."events_2026_01"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- One trigger an event: a trigger with transition tables has one event.
CREATE TRIGGER shardway_capture_insert
AFTER INSERT ON "shop"."events_2026_01"
REFERENCING NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events_2026_01" ENABLE ALWAYS TRIGGER shardway_capture_insert;

CREATE TRIGGER shardway_capture_update
AFTER UPDATE ON "shop"."events_2026_01"
REFERENCING OLD TABLE AS shardway_old NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events_2026_01" ENABLE ALWAYS TRIGGER shardway_capture_update;

CREATE TRIGGER shardway_capture_delete
AFTER DELETE ON "shop"."events_2026_01"
REFERENCING OLD TABLE AS shardway_old
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events_2026_01" ENABLE ALWAYS TRIGGER shardway_capture_delete;

CREATE TRIGGER shardway_capture_truncate
AFTER TRUNCATE ON "shop"."events_2026_01"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events_2026_01" ENABLE ALWAYS TRIGGER shardway_capture_truncate;
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
    WHERE g.tgrelid = '"shop"."Events 2026 02"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- One trigger an event: a trigger with transition tables has one event.
CREATE TRIGGER shardway_capture_insert
AFTER INSERT ON "shop"."Events 2026 02"
REFERENCING NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."Events 2026 02" ENABLE ALWAYS TRIGGER shardway_capture_insert;

CREATE TRIGGER shardway_capture_update
AFTER UPDATE ON "shop"."Events 2026 02"
REFERENCING OLD TABLE AS shardway_old NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."Events 2026 02" ENABLE ALWAYS TRIGGER shardway_capture_update;

CREATE TRIGGER shardway_capture_delete
AFTER DELETE ON "shop"."Events 2026 02"
REFERENCING OLD TABLE AS shardway_old
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."Events 2026 02" ENABLE ALWAYS TRIGGER shardway_capture_delete;

CREATE TRIGGER shardway_capture_truncate
AFTER TRUNCATE ON "shop"."Events 2026 02"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."Events 2026 02" ENABLE ALWAYS TRIGGER shardway_capture_truncate;
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
    WHERE g.tgrelid = '"shop"."events"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- One trigger an event: a trigger with transition tables has one event.
CREATE TRIGGER shardway_capture_insert
AFTER INSERT ON "shop"."events"
REFERENCING NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events" ENABLE ALWAYS TRIGGER shardway_capture_insert;

CREATE TRIGGER shardway_capture_update
AFTER UPDATE ON "shop"."events"
REFERENCING OLD TABLE AS shardway_old NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events" ENABLE ALWAYS TRIGGER shardway_capture_update;

CREATE TRIGGER shardway_capture_delete
AFTER DELETE ON "shop"."events"
REFERENCING OLD TABLE AS shardway_old
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events" ENABLE ALWAYS TRIGGER shardway_capture_delete;

CREATE TRIGGER shardway_capture_truncate
AFTER TRUNCATE ON "shop"."events"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events" ENABLE ALWAYS TRIGGER shardway_capture_truncate;

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
-- Checks the shard key of every row that a statement changed and, on the source, writes the outbox rows.
-- SECURITY DEFINER: it may run below a function whose owner has no rights on the outbox. Keys are printed as the
-- stream prints them, whatever the session has set.
CREATE OR REPLACE FUNCTION shardway."capture_shop.events"()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $f0$
#variable_conflict use_variable
DECLARE
  routed text[];
  seen bigint;
  epoch_now int;
  version_now bigint;
  last_ordinal int;
  lines text;
BEGIN
  IF TG_OP = 'TRUNCATE' OR coalesce(current_setting('shardway.capture', true), '') = '' THEN
    PERFORM shardway.refuse_raw('shop.events');
  END IF;

  -- How many rows the transaction's triggers have seen changed, for the receipt.
  IF TG_OP = 'DELETE' THEN
    SELECT count(*) INTO seen
    FROM shardway_old;
  ELSE
    SELECT count(*) INTO seen
    FROM shardway_new;
  END IF;
  IF seen = 0 THEN
    RETURN NULL;
  END IF;
  PERFORM set_config(
    'shardway.changed',
    (coalesce(nullif(current_setting('shardway.changed', true), '')::bigint, 0) + seen)::text,
    true
  );

  -- The shard key that the transaction was routed by.
  routed := current_setting('shardway.key')::text[];
  IF TG_OP <> 'DELETE' THEN
    IF EXISTS (
      SELECT 1
      FROM shardway_new c
      WHERE c."region $f$" IS DISTINCT FROM routed[1]::text OR c."account" IS DISTINCT FROM routed[2]::integer OR c."id" IS DISTINCT FROM routed[3]::uuid
    ) THEN
      PERFORM shardway.refuse_key('shop.events');
    END IF;
  END IF;
  IF TG_OP = 'DELETE' THEN
    IF EXISTS (
      SELECT 1
      FROM shardway_old c
      WHERE c."region $f$" IS DISTINCT FROM routed[1]::text OR c."account" IS DISTINCT FROM routed[2]::integer OR c."id" IS DISTINCT FROM routed[3]::uuid
    ) THEN
      PERFORM shardway.refuse_key('shop.events');
    END IF;
  ELSIF TG_OP = 'UPDATE' THEN
    IF EXISTS (
      SELECT 1
      FROM shardway_old c
      WHERE c."region $f$" IS DISTINCT FROM routed[1]::text OR c."account" IS DISTINCT FROM routed[2]::integer OR c."id" IS DISTINCT FROM routed[3]::uuid
    ) THEN
      PERFORM shardway.refuse_key('shop.events');
    END IF;
  END IF;
  RETURN NULL;
END $f0$;
REVOKE ALL ON FUNCTION shardway."capture_shop.events"() FROM PUBLIC;
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
    WHERE g.tgrelid = '"shop"."events_2026_01"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- One trigger an event: a trigger with transition tables has one event.
CREATE TRIGGER shardway_capture_insert
AFTER INSERT ON "shop"."events_2026_01"
REFERENCING NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events_2026_01" ENABLE ALWAYS TRIGGER shardway_capture_insert;

CREATE TRIGGER shardway_capture_update
AFTER UPDATE ON "shop"."events_2026_01"
REFERENCING OLD TABLE AS shardway_old NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events_2026_01" ENABLE ALWAYS TRIGGER shardway_capture_update;

CREATE TRIGGER shardway_capture_delete
AFTER DELETE ON "shop"."events_2026_01"
REFERENCING OLD TABLE AS shardway_old
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events_2026_01" ENABLE ALWAYS TRIGGER shardway_capture_delete;

CREATE TRIGGER shardway_capture_truncate
AFTER TRUNCATE ON "shop"."events_2026_01"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events_2026_01" ENABLE ALWAYS TRIGGER shardway_capture_truncate;
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
    WHERE g.tgrelid = '"shop"."Events 2026 02"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- One trigger an event: a trigger with transition tables has one event.
CREATE TRIGGER shardway_capture_insert
AFTER INSERT ON "shop"."Events 2026 02"
REFERENCING NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."Events 2026 02" ENABLE ALWAYS TRIGGER shardway_capture_insert;

CREATE TRIGGER shardway_capture_update
AFTER UPDATE ON "shop"."Events 2026 02"
REFERENCING OLD TABLE AS shardway_old NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."Events 2026 02" ENABLE ALWAYS TRIGGER shardway_capture_update;

CREATE TRIGGER shardway_capture_delete
AFTER DELETE ON "shop"."Events 2026 02"
REFERENCING OLD TABLE AS shardway_old
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."Events 2026 02" ENABLE ALWAYS TRIGGER shardway_capture_delete;

CREATE TRIGGER shardway_capture_truncate
AFTER TRUNCATE ON "shop"."Events 2026 02"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."Events 2026 02" ENABLE ALWAYS TRIGGER shardway_capture_truncate;
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
    WHERE g.tgrelid = '"shop"."events"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- One trigger an event: a trigger with transition tables has one event.
CREATE TRIGGER shardway_capture_insert
AFTER INSERT ON "shop"."events"
REFERENCING NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events" ENABLE ALWAYS TRIGGER shardway_capture_insert;

CREATE TRIGGER shardway_capture_update
AFTER UPDATE ON "shop"."events"
REFERENCING OLD TABLE AS shardway_old NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events" ENABLE ALWAYS TRIGGER shardway_capture_update;

CREATE TRIGGER shardway_capture_delete
AFTER DELETE ON "shop"."events"
REFERENCING OLD TABLE AS shardway_old
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events" ENABLE ALWAYS TRIGGER shardway_capture_delete;

CREATE TRIGGER shardway_capture_truncate
AFTER TRUNCATE ON "shop"."events"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/sales'
  AND (
    coalesce(pg_catalog.current_setting('shardway.capture', true), '') <> ''
    OR (
      coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
      AND pg_catalog.pg_trigger_depth() = 0
    )
  )
)

EXECUTE FUNCTION shardway."capture_shop.events"();
ALTER TABLE ONLY "shop"."events" ENABLE ALWAYS TRIGGER shardway_capture_truncate;

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
    WHERE g.tgrelid = '"shop"."events_2026_01"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
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
    WHERE g.tgrelid = '"shop"."Events 2026 02"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
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
    WHERE g.tgrelid = '"shop"."events"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
DROP FUNCTION IF EXISTS shardway."capture_shop.events"();
