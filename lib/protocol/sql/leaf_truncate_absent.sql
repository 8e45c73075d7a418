DROP TRIGGER IF EXISTS shardway_leaf_truncate ON {{table}};
