#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"

namespace shardway {
inline namespace v0 {

// Found by what is there, not by the manifest: a crash may have left anything.
std::string uninstall_sql(node_role role, std::string_view migration) {
  std::string sql =
      "DO $shardway$\nDECLARE found record;\nBEGIN\n"
      "  FOR found IN SELECT t.tgname AS name, t.tgrelid::regclass AS relation FROM pg_catalog.pg_trigger t\n"
      "    WHERE (t.tgname IN ('shardway_guard', 'shardway_key_change') OR t.tgname LIKE "
      "'shardway\\_capture%') AND t.tgparentid = 0 LOOP\n"
      "    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', found.name, found.relation);\n  END LOOP;\n"
      "  FOR found IN SELECT c.oid::regclass AS index, i.indrelid::regclass AS relation FROM "
      "pg_catalog.pg_index i\n"
      "    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE c.relname LIKE 'shardway\\_identity\\_%' "
      "LOOP\n"
      "    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT', found.relation);\n"
      "    EXECUTE format('DROP INDEX %s', found.index);\n  END LOOP;\n";
  if (role == node_role::shard)
    sql +=
        "  FOR found IN SELECT a.attrelid::regclass AS relation FROM pg_catalog.pg_attribute a JOIN "
        "pg_catalog.pg_class c ON c.oid = a.attrelid\n"
        "    WHERE a.attname = '_shardway_version' AND NOT a.attisdropped AND a.attinhcount = 0 AND "
        "c.relkind IN ('r', 'p') LOOP\n"
        "    EXECUTE format('ALTER TABLE %s DROP COLUMN _shardway_version', found.relation);\n  END LOOP;\n";
  sql += "END $shardway$;\nDROP PUBLICATION IF EXISTS " + names::quoted(names::publication(migration)) +
         ";\nDROP SCHEMA IF EXISTS shardway CASCADE;\n";
  return sql;
}

}  // namespace v0
}  // namespace shardway
