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
