GRANT USAGE ON SCHEMA shardway TO {{application_role}};
GRANT SELECT ON
  shardway.node,
  shardway.generation,
  shardway.incarnation,
  shardway.stream_progress
TO {{application_role}};
GRANT INSERT, SELECT ON shardway.outbox TO {{application_role}};
GRANT INSERT, UPDATE, SELECT ON shardway.client TO {{application_role}};

-- Every role may call a new function until that is revoked.
REVOKE ALL ON FUNCTION shardway.report_calls(uuid, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shardway.report_calls(uuid, text, jsonb) TO {{application_role}};
REVOKE ALL ON FUNCTION shardway.abandon(text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shardway.abandon(text, int) TO {{application_role}};

GRANT USAGE ON SCHEMA shardway TO {{mirror_role}};
GRANT SELECT ON shardway.controller_token TO {{mirror_role}};
GRANT SELECT, INSERT, DELETE ON shardway.stream_progress TO {{mirror_role}};
GRANT SELECT, INSERT, DELETE ON shardway.conflict TO {{mirror_role}};
GRANT INSERT ON shardway.salvaged TO {{mirror_role}};
