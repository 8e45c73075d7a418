-- Only where there is one: DROP TRIGGER takes ACCESS EXCLUSIVE even if it finds none, which would wait for
-- every reader, and on a standby end their queries.
DO {{quote}}
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT
      g.tgname AS name,
      g.tgrelid::regclass AS relation
    FROM pg_catalog.pg_trigger g
    WHERE g.tgrelid = {{table_name}}::regclass
      AND g.tgname LIKE {{pattern}}
      AND g.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.name, found.relation);
  END LOOP;
END {{quote}};
