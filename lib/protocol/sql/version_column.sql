ALTER TABLE {{table}} ADD COLUMN IF NOT EXISTS _shardway_version bigint NOT NULL DEFAULT 0;
