SELECT coalesce(
  (SELECT l.is_ready FROM shardway.lookup l WHERE l.relation = $1::text AND l.name = $2::text),
  false
)
