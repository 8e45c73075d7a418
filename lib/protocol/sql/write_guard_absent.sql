DROP TRIGGER IF EXISTS shardway_guard ON {{table}};
