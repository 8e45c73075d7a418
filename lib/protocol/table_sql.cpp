#include "lib/protocol/column_lists.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"

namespace shardway {
inline namespace v0 {
namespace {

std::string guard_trigger(write_guard guard, std::string const& table, std::string_view group) {
  std::string sql = "DROP TRIGGER IF EXISTS shardway_guard ON " + table + ";\n";
  if (guard == write_guard::absent) return sql;
  std::string const function =
      guard == write_guard::recording ? "record_foreign_write" : "refuse_foreign_write";
  auto const client = names::literal("client/" + std::string(group));
  std::string const writer = "coalesce(pg_catalog.current_setting('shardway.writer', true), '')";
  // A client that has passed another group's fence is a foreign writer here: a statement of several tables, a
  // function, a cascade. AFTER, for a BEFORE trigger's WHEN runs before our own statement has set the
  // setting; '' is what it reads after an earlier transaction.
  sql += "CREATE TRIGGER shardway_guard AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON " + table +
         " FOR EACH STATEMENT WHEN (" + writer + " = '' OR (pg_catalog.starts_with(" + writer +
         ", 'client/') AND " + writer + " <> " + client + ")) EXECUTE FUNCTION shardway." + function +
         "();\n";
  return sql + "ALTER TABLE ONLY " + table + " ENABLE ALWAYS TRIGGER shardway_guard;\n";
}

// The unique index that puts the shard key into the replica identity, so that a reverse stream's deletes name
// both.
std::string identity_index_sql(table_state const& table) {
  auto columns = table.manifest.key;
  for (auto const& column : table.manifest.shard_key)
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
  if (columns.size() == table.manifest.key.size()) return {};
  return "DO $shardway$\nDECLARE leaf regclass; index_name text;\nBEGIN\n"
         "  FOR leaf IN SELECT coalesce(t.relid, c.oid)::regclass FROM pg_catalog.pg_class c LEFT JOIN "
         "LATERAL pg_catalog.pg_partition_tree(c.oid) t"
         " ON true WHERE c.oid = " +
         names::literal(names::quoted_table(table.manifest.table)) +
         "::regclass AND coalesce(t.isleaf, true) LOOP\n"
         "    index_name := 'shardway_identity_' || substr(md5(leaf::text), 1, 16);\n"
         "    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relname = index_name) THEN\n"
         "      EXECUTE format('CREATE UNIQUE INDEX %I ON %s (" +
         column_list(columns, "") +
         ")', index_name, leaf);\n"
         "    END IF;\n"
         "    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %I', leaf, index_name);\n"
         "  END LOOP;\nEND $shardway$;\n";
}

std::string typed_key_match(table_state const& table, std::string const& array) {
  std::string sql;
  for (std::size_t i = 0; i < table.manifest.key.size(); ++i)
    sql += (i ? " AND t." : "t.") + names::quoted(table.manifest.key[i]) + " = " + array + "[" +
           std::to_string(i + 1) + "]::" + type_of(table, table.manifest.key[i]);
  return sql;
}

std::string upsert_sql(table_state const& table) {
  auto const columns = sent_columns(table);
  std::string names_sql, values, updates;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    auto const column = names::quoted(columns[i]->name);
    names_sql += column + ", ";
    values += "p_image[" + std::to_string(i + 1) + "]::" + columns[i]->type + ", ";
    if (!is_key(table, columns[i]->name)) updates += column + " = excluded." + column + ", ";
  }
  auto const version = std::string(names::version_column);
  return "INSERT INTO " + names::quoted_table(table.manifest.table) + " AS t (" + names_sql + version +
         ") OVERRIDING SYSTEM VALUE\n    SELECT " + values + "p_version\n    ON CONFLICT (" +
         column_list(table.manifest.key, "") + ") DO UPDATE SET " + updates + version + " = excluded." +
         version + "\n    WHERE t." + version + " < excluded." + version;
}

// The locks first, of the key (W7) and of the table, for which a TRUNCATE waits (W10); then the checks in
// statements with newer snapshots (W8). search_path holds no schema of a user, so types are qualified by
// format_type as the engine's sessions see them (P2).
std::string apply_function_sql(table_state const& table) {
  auto const function = names::apply_function(table.manifest.table);
  auto const qualified = names::quoted_table(table.manifest.table);
  auto const name = names::literal(table.manifest.table);
  return "CREATE OR REPLACE FUNCTION " + function +
         "(p_write_id uuid, p_ordinal int, p_version bigint, p_slot int, p_remove boolean, p_key text[], "
         "p_image text[]) RETURNS text\n"
         "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET "
         "session_replication_role = replica AS $f$\n"
         "DECLARE held record; applied pg_lsn;\nBEGIN\n"
         "  PERFORM pg_advisory_xact_lock(shardway.key_lock_class(" +
         name +
         "), shardway.key_lock_bucket(p_key));\n"
         "  LOCK TABLE " +
         qualified +
         " IN ROW EXCLUSIVE MODE;  -- before progress is read: a TRUNCATE is then before or after all of "
         "this\n"
         "  PERFORM 1 FROM " +
         names::fence_lock(table.manifest.group) +
         " WHERE false FOR KEY SHARE;\n"
         "  SELECT epoch, is_open INTO held FROM " +
         names::fence(table.manifest.group) +
         " WHERE slot_from <= p_slot AND slot_to >= p_slot;\n"
         "  IF held.is_open THEN RETURN 'authority'; END IF;\n"
         "  IF held.epoch IS DISTINCT FROM (p_version >> 53)::int THEN RETURN 'other_epoch'; END IF;\n"
         "  SELECT applied_lsn INTO applied FROM shardway.stream_progress WHERE stream = 'source' ORDER BY "
         "id DESC LIMIT 1;\n"
         "  IF p_version <= shardway.row_version(held.epoch, applied) THEN RETURN 'delivered'; END IF;\n"
         "  IF p_remove THEN\n    DELETE FROM " +
         qualified + " AS t WHERE " + typed_key_match(table, "p_key") +
         " AND t._shardway_version <= p_version;\n"
         "  ELSE\n    " +
         upsert_sql(table) +
         ";\n  END IF;\n"
         "  IF NOT FOUND THEN RETURN 'newer_present'; END IF;\n"
         "  INSERT INTO shardway.dual_applied (write_id, ordinal) VALUES (p_write_id, p_ordinal);\n"
         "  RETURN 'applied';\nEND $f$;\n";
}

}  // namespace

std::string write_guard_sql(write_guard guard, std::string_view table, std::string_view group,
                            std::vector<std::string> const& leaves) {
  std::string sql;
  for (auto const& leaf : leaves) sql += guard_trigger(guard, names::quoted_table(leaf), group);
  return sql + guard_trigger(guard, names::quoted_table(table), group);
}

std::string shard_key_trigger_sql(table_state const& table, bool present) {
  auto const qualified = names::quoted_table(table.manifest.table);
  auto const function = names::key_change_function(table.manifest.table);
  auto const drop = "DROP TRIGGER IF EXISTS shardway_key_change ON " + qualified + ";\n";
  if (!present) return drop + "DROP FUNCTION IF EXISTS " + function + "();\n";
  std::string changed, slot_arguments, slot_call;
  for (auto const& column : table.manifest.shard_key) {
    changed += (changed.empty() ? "" : " OR ") + ("OLD." + names::quoted(column)) + " IS DISTINCT FROM NEW." +
               names::quoted(column);
    slot_arguments += (slot_arguments.empty() ? "" : ", ") + ("OLD." + names::quoted(column));
  }
  slot_call = slot_expression(table, "OLD.");
  return drop + "CREATE OR REPLACE FUNCTION " + function +
         "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$\n"
         "DECLARE held record;\nBEGIN\n"
         "  SELECT epoch, is_open INTO held FROM " +
         names::fence(table.manifest.group) + " WHERE slot_from <= " + slot_call +
         " AND slot_to >= " + slot_call +
         ";\n"
         "  IF NOT held.is_open THEN RAISE EXCEPTION 'shardway: the old shard key of a row of % has moved', "
         "TG_TABLE_NAME USING ERRCODE = 'SW004'; END IF;\n"
         "  INSERT INTO shardway.outbox (version, write_id, ordinal, epoch, relation, slot, operation, "
         "key_values, shard_key_values)\n"
         "    VALUES (shardway.row_version(held.epoch, pg_current_wal_insert_lsn()), gen_random_uuid(), 0, "
         "held.epoch, " +
         names::literal(table.manifest.table) + ", " + slot_call + ", 'k', ARRAY[" +
         text_list(table.manifest.key, "OLD.") + "], ARRAY[" + text_list(table.manifest.shard_key, "OLD.") +
         "]);\n"
         "  RETURN NULL;\nEND $f$;\n"
         "CREATE TRIGGER shardway_key_change AFTER UPDATE OF " +
         column_list(table.manifest.shard_key, "") + " ON " + qualified + " FOR EACH ROW WHEN (" + changed +
         ") EXECUTE FUNCTION " + function + "();\n";
}

std::string shard_table_sql(table_state const& table, std::string_view application_role) {
  auto const qualified = names::quoted_table(table.manifest.table);
  std::string sql =
      "ALTER TABLE " + qualified + " ADD COLUMN IF NOT EXISTS _shardway_version bigint NOT NULL DEFAULT 0;\n";
  if (table.manifest.kind == table_kind::reference) return sql;
  sql += identity_index_sql(table);
  sql += apply_function_sql(table);
  auto const function =
      names::apply_function(table.manifest.table) + "(uuid, int, bigint, int, boolean, text[], text[])";
  sql += "REVOKE ALL ON FUNCTION " + function + " FROM PUBLIC;\nGRANT EXECUTE ON FUNCTION " + function +
         " TO " + names::quoted(application_role) + ";\n";
  sql += "DROP TRIGGER IF EXISTS shardway_key_change ON " + qualified +
         ";\nCREATE TRIGGER shardway_key_change BEFORE UPDATE OF " +
         column_list(table.manifest.shard_key, "") + " ON " + qualified + " FOR EACH ROW WHEN (" +
         distinct_list(table.manifest.shard_key) + ") EXECUTE FUNCTION shardway.refuse_shard_key_change();\n";
  return sql;
}

std::string drop_shard_table_sql(table_state const& table) {
  auto const qualified = names::quoted_table(table.manifest.table);
  return "DROP FUNCTION IF EXISTS " + names::apply_function(table.manifest.table) +
         "(uuid, int, bigint, int, boolean, text[], text[]);\nDROP TRIGGER IF EXISTS shardway_key_change "
         "ON " +
         qualified +
         ";\nDO $shardway$\nDECLARE leaf record;\nBEGIN\n"
         "  FOR leaf IN SELECT i.indexrelid::regclass AS index, i.indrelid::regclass AS relation FROM "
         "pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid\n"
         "    WHERE c.relname LIKE 'shardway\\_identity\\_%' AND i.indrelid IN (SELECT coalesce(t.relid, "
         "r.oid) FROM pg_catalog.pg_class r LEFT JOIN LATERAL\n"
         "    pg_catalog.pg_partition_tree(r.oid) t ON true WHERE r.oid = " +
         names::literal(qualified) +
         "::regclass) LOOP\n"
         "    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT', leaf.relation);\n"
         "    EXECUTE format('DROP INDEX %s', leaf.index);\n  END LOOP;\nEND $shardway$;\n"
         "ALTER TABLE " +
         qualified + " DROP COLUMN IF EXISTS _shardway_version;\n";
}

std::string maintain_outbox_sql(int hours_ahead, int keep_hours) {
  return "SELECT shardway.maintain_outbox(" + std::to_string(hours_ahead) + ", " +
         std::to_string(keep_hours) + ")";
}

}  // namespace v0
}  // namespace shardway
