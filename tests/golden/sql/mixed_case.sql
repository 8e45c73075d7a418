-- What is installed for table Odd "Schema".Mixed Case's.

-- === source: fence of the group ===
-- The fence of a group: which slots this node may write, since which epoch. Rows that are there stay.
CREATE TABLE IF NOT EXISTS shardway."fence_documents" (
  slot_from int PRIMARY KEY,
  slot_to int NOT NULL,
  epoch int NOT NULL,
  is_open boolean NOT NULL,
  wave text NOT NULL DEFAULT '',
  deadline timestamptz,
  CHECK (0 <= slot_from AND slot_from <= slot_to AND slot_to <= 4095),
  CHECK (epoch BETWEEN 0 AND 1023)
);
CREATE TABLE IF NOT EXISTS shardway."fence_lock_documents" (nothing int);
INSERT INTO shardway."fence_documents"
SELECT 0, 4095, 1, true
WHERE NOT EXISTS (SELECT 1 FROM shardway."fence_documents");
GRANT SELECT ON shardway."fence_documents" TO "The App";
-- FOR KEY SHARE and LOCK TABLE ask for UPDATE. The relation stays empty: no INSERT is granted.
GRANT SELECT, UPDATE ON shardway."fence_lock_documents" TO "The App";

-- === shard: fence of the group ===
-- The fence of a group: which slots this node may write, since which epoch. Rows that are there stay.
CREATE TABLE IF NOT EXISTS shardway."fence_documents" (
  slot_from int PRIMARY KEY,
  slot_to int NOT NULL,
  epoch int NOT NULL,
  is_open boolean NOT NULL,
  wave text NOT NULL DEFAULT '',
  deadline timestamptz,
  CHECK (0 <= slot_from AND slot_from <= slot_to AND slot_to <= 4095),
  CHECK (epoch BETWEEN 0 AND 1023)
);
CREATE TABLE IF NOT EXISTS shardway."fence_lock_documents" (nothing int);
INSERT INTO shardway."fence_documents"
SELECT 0, 4095, 0, false
WHERE NOT EXISTS (SELECT 1 FROM shardway."fence_documents");
GRANT SELECT ON shardway."fence_documents" TO "The App";
-- FOR KEY SHARE and LOCK TABLE ask for UPDATE. The relation stays empty: no INSERT is granted.
GRANT SELECT, UPDATE ON shardway."fence_lock_documents" TO "The App";

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
    WHERE g.tgrelid = '"Odd ""Schema"""."Mixed Case''s"'::regclass
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
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "Odd ""Schema"""."Mixed Case's"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = ''
  OR (
    pg_catalog.starts_with(coalesce(pg_catalog.current_setting('shardway.writer', true), ''), 'client/')
    AND coalesce(pg_catalog.current_setting('shardway.writer', true), '') <> 'client/documents'
  )
)
EXECUTE FUNCTION shardway.record_foreign_write();
-- Also for writers with session_replication_role = replica.
ALTER TABLE ONLY "Odd ""Schema"""."Mixed Case's" ENABLE ALWAYS TRIGGER shardway_guard;

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
    WHERE g.tgrelid = '"Odd ""Schema"""."Mixed Case''s"'::regclass
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
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "Odd ""Schema"""."Mixed Case's"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = ''
  OR (
    pg_catalog.starts_with(coalesce(pg_catalog.current_setting('shardway.writer', true), ''), 'client/')
    AND coalesce(pg_catalog.current_setting('shardway.writer', true), '') <> 'client/documents'
  )
)
EXECUTE FUNCTION shardway.refuse_foreign_write();
-- Also for writers with session_replication_role = replica.
ALTER TABLE ONLY "Odd ""Schema"""."Mixed Case's" ENABLE ALWAYS TRIGGER shardway_guard;

-- === write guard: absent ===
DROP TRIGGER IF EXISTS shardway_guard ON "Odd ""Schema"""."Mixed Case's";

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
    WHERE g.tgrelid = '"Odd ""Schema"""."Mixed Case''s"'::regclass
      AND g.tgname LIKE  E'shardway\\_key\\_change'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- On the source: writes the old place of a row whose shard key changes to the outbox (operation k), so that
-- the stream takes the row away from its old shard.
CREATE OR REPLACE FUNCTION shardway."key_change_Odd ""Schema"".Mixed Case's"()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $f$
DECLARE
  held record;
BEGIN
  SELECT epoch, is_open INTO held
  FROM shardway."fence_documents"
  WHERE slot_from <= shardway.slot_of_parts(shardway.key_part(CAST(OLD."Tenant" AS text)), shardway.key_part(OLD."doc id"))
    AND slot_to >= shardway.slot_of_parts(shardway.key_part(CAST(OLD."Tenant" AS text)), shardway.key_part(OLD."doc id"));
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
    'Odd "Schema".Mixed Case''s',
    shardway.slot_of_parts(shardway.key_part(CAST(OLD."Tenant" AS text)), shardway.key_part(OLD."doc id")),
    'k',
    ARRAY[OLD."Tenant"::text, OLD."doc id"::text],
    ARRAY[OLD."Tenant"::text, OLD."doc id"::text]
  );
  RETURN NULL;
END $f$;
REVOKE ALL ON FUNCTION shardway."key_change_Odd ""Schema"".Mixed Case's"() FROM PUBLIC;
-- A partition that is made or attached later gets the trigger in the name of who does it, who must be allowed
-- to call the function.
DO $f$
BEGIN
  EXECUTE (
    SELECT pg_catalog.format('GRANT EXECUTE ON FUNCTION %s() TO %I', 'shardway."key_change_Odd ""Schema"".Mixed Case''s"', pg_get_userbyid(relowner))
    FROM pg_catalog.pg_class
    WHERE oid = '"Odd ""Schema"""."Mixed Case''s"'::regclass
  );
END $f$;
CREATE TRIGGER shardway_key_change
AFTER UPDATE OF "Tenant", "doc id" ON "Odd ""Schema"""."Mixed Case's"
FOR EACH ROW
WHEN (OLD."Tenant" IS DISTINCT FROM NEW."Tenant" OR OLD."doc id" IS DISTINCT FROM NEW."doc id")
EXECUTE FUNCTION shardway."key_change_Odd ""Schema"".Mixed Case's"();

-- === source: no shard key trigger ===
DROP TRIGGER IF EXISTS shardway_key_change ON "Odd ""Schema"""."Mixed Case's";
DROP FUNCTION IF EXISTS shardway."key_change_Odd ""Schema"".Mixed Case's"();

-- === shard: table ===
ALTER TABLE "Odd ""Schema"""."Mixed Case's" ADD COLUMN IF NOT EXISTS _shardway_version bigint NOT NULL DEFAULT 0;
-- The guarded apply of one row. The locks come first, of the key (W7) and of the table, for which a TRUNCATE
-- waits (W10); then the checks in statements with newer snapshots (W8).
-- It trusts no slot that it is given: where this node has authority for any slot, the row's own slot decides
-- (AP10, AP15). It does nothing that its caller may not do to the table.
-- search_path holds no schema of a user, so format_type wrote the types qualified (P2). Variables are named
-- with the block's label, so that no column can hide them.
CREATE OR REPLACE FUNCTION shardway."apply_Odd ""Schema"".Mixed Case's"(
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
      WHEN p_remove THEN has_table_privilege(apply.caller, '"Odd ""Schema"""."Mixed Case''s"'::regclass, 'DELETE')
      ELSE
        has_any_column_privilege(apply.caller, '"Odd ""Schema"""."Mixed Case''s"'::regclass, 'INSERT')
        OR has_any_column_privilege(apply.caller, '"Odd ""Schema"""."Mixed Case''s"'::regclass, 'UPDATE')
    END
  ) THEN
    RETURN 'not_permitted';
  END IF;
  PERFORM pg_advisory_xact_lock(shardway.key_lock_class('Odd "Schema".Mixed Case''s'), shardway.key_lock_bucket(apply.key));
  -- Before progress is read: a TRUNCATE is then before or after all of this.
  LOCK TABLE "Odd ""Schema"""."Mixed Case's" IN ROW EXCLUSIVE MODE;
  PERFORM 1
  FROM shardway."fence_lock_documents"
  WHERE false
  FOR KEY SHARE;
  SELECT epoch, is_open INTO apply.held
  FROM shardway."fence_documents"
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
    FROM shardway."fence_documents"
    WHERE is_open
  ) INTO apply.split;
  IF apply.split AND NOT p_remove AND shardway.slot_of_parts(shardway.key_part(CAST(apply.image[1]::"Odd ""Schema""".tenant AS text)), shardway.key_part(apply.image[2]::uuid)) IS DISTINCT FROM p_slot THEN
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
    DELETE FROM "Odd ""Schema"""."Mixed Case's" AS t
    WHERE t."Tenant" = apply.key[1]::"Odd ""Schema""".tenant
      AND t."doc id" = apply.key[2]::uuid
      AND t._shardway_version <= apply.version
      AND (NOT apply.split OR pg_catalog.width_bucket(shardway.slot_of_parts(shardway.key_part(CAST(t."Tenant" AS text)), shardway.key_part(t."doc id")), ARRAY(SELECT e.edge FROM shardway."fence_documents" AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) WHERE f.is_open ORDER BY e.edge)) % 2 = 0);
  ELSE
    INSERT INTO "Odd ""Schema"""."Mixed Case's" AS t ("Tenant", "doc id", "E-mail", "device", "number", _shardway_version)
    OVERRIDING SYSTEM VALUE
    SELECT
      apply.image[1]::"Odd ""Schema""".tenant,
      apply.image[2]::uuid,
      apply.image[3]::character varying(200),
      apply.image[4]::bytea,
      apply.image[5]::smallint,
      apply.version
    ON CONFLICT ("Tenant", "doc id") DO UPDATE
    SET
      "E-mail" = excluded."E-mail",
      "device" = excluded."device",
      "number" = excluded."number",
      _shardway_version = excluded._shardway_version
    WHERE t._shardway_version < excluded._shardway_version
      AND (NOT apply.split OR pg_catalog.width_bucket(shardway.slot_of_parts(shardway.key_part(CAST(t."Tenant" AS text)), shardway.key_part(t."doc id")), ARRAY(SELECT e.edge FROM shardway."fence_documents" AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) WHERE f.is_open ORDER BY e.edge)) % 2 = 0);
  END IF;
  IF FOUND THEN
    INSERT INTO shardway.dual_applied (write_id, ordinal)
    VALUES (p_write_id, p_ordinal);
    RETURN 'applied';
  END IF;
  IF apply.split AND NOT p_remove THEN
    PERFORM 1
    FROM "Odd ""Schema"""."Mixed Case's" AS t
    WHERE t."Tenant" = apply.key[1]::"Odd ""Schema""".tenant
      AND t."doc id" = apply.key[2]::uuid
      AND NOT (pg_catalog.width_bucket(shardway.slot_of_parts(shardway.key_part(CAST(t."Tenant" AS text)), shardway.key_part(t."doc id")), ARRAY(SELECT e.edge FROM shardway."fence_documents" AS f CROSS JOIN LATERAL (VALUES (f.slot_from), (f.slot_to + 1)) AS e (edge) WHERE f.is_open ORDER BY e.edge)) % 2 = 0);
    IF FOUND THEN
      RETURN 'conflict';
    END IF;
  END IF;
  RETURN 'newer_present';
END $f$;
REVOKE ALL ON FUNCTION shardway."apply_Odd ""Schema"".Mixed Case's"(uuid, int, bigint, int, boolean, text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shardway."apply_Odd ""Schema"".Mixed Case's"(uuid, int, bigint, int, boolean, text[], text[]) TO "The App";
-- On a shard a row keeps its shard key: under a new one it may belong to another node.
DROP TRIGGER IF EXISTS shardway_key_change ON "Odd ""Schema"""."Mixed Case's";
CREATE TRIGGER shardway_key_change
BEFORE UPDATE OF "Tenant", "doc id" ON "Odd ""Schema"""."Mixed Case's"
FOR EACH ROW
WHEN (OLD."Tenant" IS DISTINCT FROM NEW."Tenant" OR OLD."doc id" IS DISTINCT FROM NEW."doc id")
EXECUTE FUNCTION shardway.refuse_shard_key_change();

-- === shard: table, finalizing ===
DROP FUNCTION IF EXISTS shardway."apply_Odd ""Schema"".Mixed Case's"(uuid, int, bigint, int, boolean, text[], text[]);
DROP TRIGGER IF EXISTS shardway_key_change ON "Odd ""Schema"""."Mixed Case's";
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
        WHERE r.oid = '"Odd ""Schema"""."Mixed Case''s"'::regclass
      )
  LOOP
    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT', leaf.relation);
    EXECUTE format('DROP INDEX %s', leaf.index);
  END LOOP;
END $f$;
ALTER TABLE "Odd ""Schema"""."Mixed Case's" DROP COLUMN IF EXISTS _shardway_version;
ALTER TABLE "Odd ""Schema"""."Mixed Case's" DROP CONSTRAINT IF EXISTS shardway_source_holds;

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
    WHERE g.tgrelid = '"Odd ""Schema"""."Mixed Case''s"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- For a table that is captured by statement: refuses a raw change by a client of its own group. A raw change
-- is one that no trigger made: what triggers and cascades change beside a framed statement are side effects.
CREATE TRIGGER shardway_capture
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "Odd ""Schema"""."Mixed Case's"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/documents'
  AND coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
  AND pg_catalog.pg_trigger_depth() = 0
)
EXECUTE FUNCTION shardway.refuse_raw_change();
ALTER TABLE ONLY "Odd ""Schema"""."Mixed Case's" ENABLE ALWAYS TRIGGER shardway_capture;
DROP FUNCTION IF EXISTS shardway."capture_Odd ""Schema"".Mixed Case's"();

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
    WHERE g.tgrelid = '"Odd ""Schema"""."Mixed Case''s"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
-- For a table that is captured by statement: refuses a raw change by a client of its own group. A raw change
-- is one that no trigger made: what triggers and cascades change beside a framed statement are side effects.
CREATE TRIGGER shardway_capture
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON "Odd ""Schema"""."Mixed Case's"
FOR EACH STATEMENT
WHEN (
  coalesce(pg_catalog.current_setting('shardway.writer', true), '') = 'client/documents'
  AND coalesce(pg_catalog.current_setting('shardway.raw', true), '') = 'refuse'
  AND pg_catalog.pg_trigger_depth() = 0
)
EXECUTE FUNCTION shardway.refuse_raw_change();
ALTER TABLE ONLY "Odd ""Schema"""."Mixed Case's" ENABLE ALWAYS TRIGGER shardway_capture;
DROP FUNCTION IF EXISTS shardway."capture_Odd ""Schema"".Mixed Case's"();

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
    WHERE g.tgrelid = '"Odd ""Schema"""."Mixed Case''s"'::regclass
      AND g.tgname LIKE  E'shardway\\_capture%'
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END $f$;
DROP FUNCTION IF EXISTS shardway."capture_Odd ""Schema"".Mixed Case's"();

-- === shard: lookup by_email ===
-- The mappings of one lookup, from its value to the shard key and the primary key of a row.
CREATE TABLE IF NOT EXISTS shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" (
  v1 text COLLATE "C" NOT NULL,
  shard_key text[] COLLATE "C" NOT NULL,
  row_key text[] COLLATE "C" NOT NULL,
  PRIMARY KEY (v1)
);
GRANT SELECT, INSERT, UPDATE ON shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" TO "The App";
-- A transaction that changes the table is durable once it is committed, whatever its role has set for
-- synchronous_commit. On the table, so that no way of writing it can forget it.
DO $f$
BEGIN
  IF NOT EXISTS (
    SELECT 1
    FROM pg_catalog.pg_trigger
    WHERE tgrelid = 'shardway."lookup_Odd ""Schema"".Mixed Case''s.by_email"'::regclass
      AND tgname = 'shardway_durable'
  ) THEN
    CREATE TRIGGER shardway_durable
    BEFORE INSERT OR UPDATE OR DELETE ON shardway."lookup_Odd ""Schema"".Mixed Case's.by_email"
    FOR EACH STATEMENT
    WHEN (pg_catalog.current_setting('synchronous_commit') = 'off')
    EXECUTE FUNCTION shardway.commit_durably();
    ALTER TABLE shardway."lookup_Odd ""Schema"".Mixed Case's.by_email" ENABLE ALWAYS TRIGGER shardway_durable;
  END IF;
END $f$;

-- === shard: lookup by_device ===
-- The mappings of one lookup, from its value to the shard key and the primary key of a row.
CREATE TABLE IF NOT EXISTS shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" (
  v1 bytea NOT NULL,
  v2 bigint NOT NULL,
  shard_key text[] COLLATE "C" NOT NULL,
  row_key text[] COLLATE "C" NOT NULL,
  PRIMARY KEY (v1, v2, shard_key)
);
GRANT SELECT, INSERT, UPDATE ON shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" TO "The App";
-- A transaction that changes the table is durable once it is committed, whatever its role has set for
-- synchronous_commit. On the table, so that no way of writing it can forget it.
DO $f$
BEGIN
  IF NOT EXISTS (
    SELECT 1
    FROM pg_catalog.pg_trigger
    WHERE tgrelid = 'shardway."lookup_Odd ""Schema"".Mixed Case''s.by_device"'::regclass
      AND tgname = 'shardway_durable'
  ) THEN
    CREATE TRIGGER shardway_durable
    BEFORE INSERT OR UPDATE OR DELETE ON shardway."lookup_Odd ""Schema"".Mixed Case's.by_device"
    FOR EACH STATEMENT
    WHEN (pg_catalog.current_setting('synchronous_commit') = 'off')
    EXECUTE FUNCTION shardway.commit_durably();
    ALTER TABLE shardway."lookup_Odd ""Schema"".Mixed Case's.by_device" ENABLE ALWAYS TRIGGER shardway_durable;
  END IF;
END $f$;
