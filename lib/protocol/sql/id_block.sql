CREATE TABLE IF NOT EXISTS shardway.id_block (
  relation text PRIMARY KEY,
  next_id bigint NOT NULL,
  last_id bigint NOT NULL
);

-- The first of the leased ids. NULL: no such table, or not that many left. Only for a role that may insert
-- into the table, so that no other uses its ids up (AP15).
CREATE OR REPLACE FUNCTION shardway.lease_ids(p_relation text, p_count bigint)
RETURNS bigint
LANGUAGE sql VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $f$
  SELECT shardway.require_right(
    format('%I.%I', split_part(p_relation, '.', 1), split_part(p_relation, '.', 2)), false
  )
  FROM shardway.id_block
  WHERE relation = p_relation;
  UPDATE shardway.id_block
  SET next_id = next_id + p_count
  WHERE relation = p_relation
    AND p_count BETWEEN 1 AND 1000000
    AND next_id <= last_id - p_count
  RETURNING next_id - p_count
$f$;
REVOKE ALL ON FUNCTION shardway.lease_ids(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shardway.lease_ids(text, bigint) TO {{application_role}};
