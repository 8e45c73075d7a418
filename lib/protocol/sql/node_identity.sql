-- Which node of which migration this is. A node belongs to one migration, so a row that is there stays.
INSERT INTO shardway.node (name, migration, role)
VALUES ({{name}}, {{migration}}, {{role}})
ON CONFLICT DO NOTHING;
