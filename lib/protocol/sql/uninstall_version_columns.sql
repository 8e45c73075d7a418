  FOR found IN
    SELECT a.attrelid::regclass AS relation
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    WHERE a.attname = '_shardway_version'
      AND NOT a.attisdropped
      AND a.attinhcount = 0
      AND c.relkind IN ('r', 'p')
  LOOP
    EXECUTE format('ALTER TABLE %s DROP COLUMN _shardway_version', found.relation);
  END LOOP;
  FOR found IN
    SELECT c.conrelid::regclass AS relation
    FROM pg_catalog.pg_constraint c
    WHERE c.conname = 'shardway_source_holds'
      AND c.coninhcount = 0
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT shardway_source_holds', found.relation);
  END LOOP;
