DROP TRIGGER IF EXISTS shardway_key_change ON {{table}};
DROP FUNCTION IF EXISTS {{function}}();
