-- Puts the shard key into the replica identity, so that the deletes of a reverse stream name both keys.
DO {{quote}}
DECLARE
  leaf regclass;
  index_name text;
BEGIN
  FOR leaf IN
    SELECT coalesce(t.relid, c.oid)::regclass
    FROM pg_catalog.pg_class c
    LEFT JOIN LATERAL pg_catalog.pg_partition_tree(c.oid) t ON true
    WHERE c.oid = {{table_name}}::regclass
      AND coalesce(t.isleaf, true)
  LOOP
    index_name := 'shardway_identity_' || substr(md5(leaf::text), 1, 16);
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relname = index_name) THEN
      EXECUTE format('CREATE UNIQUE INDEX %I ON %s (%s)', index_name, leaf, {{columns}});
    END IF;
    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %I', leaf, index_name);
  END LOOP;
END {{quote}};
