DROP TRIGGER IF EXISTS shardway_leaf_truncate ON {{table}};
CREATE TRIGGER shardway_leaf_truncate
AFTER TRUNCATE ON {{table}}
FOR EACH STATEMENT
EXECUTE FUNCTION shardway.record_leaf_truncate();
ALTER TABLE ONLY {{table}} ENABLE ALWAYS TRIGGER shardway_leaf_truncate;
