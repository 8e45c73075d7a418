GRANT USAGE ON SCHEMA shardway TO {{application_role}};
GRANT SELECT ON
  shardway.node,
  shardway.generation,
  shardway.incarnation,
  shardway.stream_progress
TO {{application_role}};
-- A read that a shard serves asks whether anything is parked or in conflict there.
GRANT SELECT (relation) ON shardway.parked TO {{application_role}};
GRANT SELECT (relation) ON shardway.conflict TO {{application_role}};
