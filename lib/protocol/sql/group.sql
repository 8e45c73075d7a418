-- The fence of a group: which slots this node may write, since which epoch. Rows that are there stay.
CREATE TABLE IF NOT EXISTS {{fence}} (
  slot_from int PRIMARY KEY,
  slot_to int NOT NULL,
  epoch int NOT NULL,
  is_open boolean NOT NULL,
  wave text NOT NULL DEFAULT '',
  deadline timestamptz,
  CHECK (0 <= slot_from AND slot_from <= slot_to AND slot_to <= 4095),
  CHECK (epoch BETWEEN 0 AND 1023)
);
CREATE TABLE IF NOT EXISTS {{fence_lock}} (nothing int);
INSERT INTO {{fence}}
SELECT 0, 4095, {{epoch}}, {{is_open}}
WHERE NOT EXISTS (SELECT 1 FROM {{fence}});
GRANT SELECT ON {{fence}} TO {{application_role}};
-- FOR KEY SHARE and LOCK TABLE ask for UPDATE. The relation stays empty: no INSERT is granted.
GRANT SELECT, UPDATE ON {{fence_lock}} TO {{application_role}};
