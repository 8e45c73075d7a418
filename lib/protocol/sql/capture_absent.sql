DROP TRIGGER IF EXISTS shardway_capture ON {{table}};
DROP TRIGGER IF EXISTS shardway_capture_insert ON {{table}};
DROP TRIGGER IF EXISTS shardway_capture_update ON {{table}};
DROP TRIGGER IF EXISTS shardway_capture_delete ON {{table}};
DROP TRIGGER IF EXISTS shardway_capture_truncate ON {{table}};
