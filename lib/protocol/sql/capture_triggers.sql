-- One trigger an event: a trigger with transition tables has one event.
CREATE TRIGGER shardway_capture_insert
AFTER INSERT ON {{table}}
REFERENCING NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN {{condition}}
EXECUTE FUNCTION {{function}}();
ALTER TABLE ONLY {{table}} ENABLE ALWAYS TRIGGER shardway_capture_insert;

CREATE TRIGGER shardway_capture_update
AFTER UPDATE ON {{table}}
REFERENCING OLD TABLE AS shardway_old NEW TABLE AS shardway_new
FOR EACH STATEMENT
WHEN {{condition}}
EXECUTE FUNCTION {{function}}();
ALTER TABLE ONLY {{table}} ENABLE ALWAYS TRIGGER shardway_capture_update;

CREATE TRIGGER shardway_capture_delete
AFTER DELETE ON {{table}}
REFERENCING OLD TABLE AS shardway_old
FOR EACH STATEMENT
WHEN {{condition}}
EXECUTE FUNCTION {{function}}();
ALTER TABLE ONLY {{table}} ENABLE ALWAYS TRIGGER shardway_capture_delete;

CREATE TRIGGER shardway_capture_truncate
AFTER TRUNCATE ON {{table}}
FOR EACH STATEMENT
WHEN {{condition}}
EXECUTE FUNCTION {{function}}();
ALTER TABLE ONLY {{table}} ENABLE ALWAYS TRIGGER shardway_capture_truncate;
