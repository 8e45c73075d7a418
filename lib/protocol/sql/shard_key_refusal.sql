-- On a shard a row keeps its shard key: under a new one it may belong to another node.
DROP TRIGGER IF EXISTS shardway_key_change ON {{table}};
CREATE TRIGGER shardway_key_change
BEFORE UPDATE OF {{columns}} ON {{table}}
FOR EACH ROW
WHEN ({{changed}})
EXECUTE FUNCTION shardway.refuse_shard_key_change();
