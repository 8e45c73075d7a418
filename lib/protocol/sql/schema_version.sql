INSERT INTO shardway.schema_version (version)
VALUES ({{version}})
ON CONFLICT DO NOTHING;
