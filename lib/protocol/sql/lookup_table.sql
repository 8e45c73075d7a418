-- The mappings of one lookup, from its value to the shard key and the primary key of a row.
CREATE TABLE IF NOT EXISTS {{mappings}} (
  {{columns}},
  shard_key text[] COLLATE "C" NOT NULL,
  row_key text[] COLLATE "C" NOT NULL,
  PRIMARY KEY ({{key}})
);
GRANT SELECT, INSERT, UPDATE ON {{mappings}} TO {{application_role}};
