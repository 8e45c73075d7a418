-- How sequences of the source stepped before their ids were interleaved.
CREATE TABLE IF NOT EXISTS shardway.sequence_increment (
  sequence text PRIMARY KEY,
  relation text NOT NULL,
  increment bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
