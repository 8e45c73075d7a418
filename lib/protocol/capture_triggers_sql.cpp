// The text of the capture triggers.
#include "lib/protocol/capture.hpp"
#include "lib/protocol/column_lists.hpp"

namespace shardway {
inline namespace v0 {
namespace {

std::string setting(std::string_view name) {
  return "coalesce(pg_catalog.current_setting('shardway." + std::string(name) + "', true), '')";
}

std::string differs(table_state const& table) {
  std::string sql;
  for (std::size_t i = 0; i < table.manifest.shard_key.size(); ++i)
    sql += (i ? " OR c." : "c.") + names::quoted(table.manifest.shard_key[i]) + " IS DISTINCT FROM routed[" +
           std::to_string(i + 1) + "]::" + type_of(table, table.manifest.shard_key[i]);
  return sql;
}

std::string refuse_where(table_state const& table, std::string const& from_where) {
  return "    IF EXISTS (SELECT 1 FROM " + from_where + ") THEN PERFORM shardway.refuse_key(" +
         names::literal(table.manifest.table) + "); END IF;\n";
}

// On the source a row may come from another shard key, as long as the source has authority there too: its old
// place is told by the trigger shardway_key_change, or by the old tuple in the stream (W20).
std::string old_rows_check(table_state const& table, node_role role) {
  if (role == node_role::shard) return refuse_where(table, "shardway_old c WHERE " + differs(table));
  auto const slot = slot_expression(table, "c.");
  return refuse_where(table, "shardway_old c LEFT JOIN " + names::fence(table.manifest.group) +
                                 " f ON f.slot_from <= " + slot + " AND f.slot_to >= " + slot + " WHERE (" +
                                 differs(table) + ") AND NOT coalesce(f.is_open, false)");
}

std::string checks(table_state const& table, node_role role) {
  return "  IF TG_OP <> 'DELETE' THEN\n" + refuse_where(table, "shardway_new c WHERE " + differs(table)) +
         "  END IF;\n  IF TG_OP = 'DELETE' THEN\n" +
         refuse_where(table, "shardway_old c WHERE " + differs(table)) + "  ELSIF TG_OP = 'UPDATE' THEN\n" +
         old_rows_check(table, role) + "  END IF;\n";
}

std::string changed_rows(table_state const& table, std::string const& from, char const* operation) {
  return "SELECT '" + std::string(operation) + "' AS operation, ARRAY[" +
         text_list(table.manifest.key, "c.") + "] AS key_values, ARRAY[" +
         text_list(table.manifest.shard_key, "c.") + "] AS shard_key_values FROM " + from;
}

// The outbox rows, and a line each for the library, which reads the images before COMMIT. Both go with
// ROLLBACK TO SAVEPOINT.
std::string record(table_state const& table, std::string const& source) {
  return "    WITH changed AS (" + source +
         "), numbered AS (SELECT c.*, last_ordinal - (row_number() OVER (ORDER BY operation))::int AS "
         "ordinal FROM changed c),\n"
         "    written AS (INSERT INTO shardway.outbox (version, write_id, ordinal, epoch, relation, slot, "
         "operation, key_values, "
         "shard_key_values)\n"
         "      SELECT version_now, current_setting('shardway.write_id')::uuid, ordinal, epoch_now, " +
         names::literal(table.manifest.table) +
         ", current_setting('shardway.slot')::int, operation::\"char\", key_values, shard_key_values FROM "
         "numbered)\n"
         "    SELECT string_agg(jsonb_build_array(version_now::text, ordinal::text, operation, " +
         names::literal(table.manifest.table) +
         ", to_jsonb(key_values), current_setting('shardway.slot'))::text || E'\\n', '' ORDER BY ordinal "
         "DESC), coalesce(min(ordinal), "
         "last_ordinal) INTO lines, last_ordinal FROM numbered;\n";
}

// The version is read after the change, in a statement of its own: it lies between the change and the commit.
// Ordinals count down from -1, those of frames up from 1: a transaction may have both.
std::string recording(table_state const& table) {
  std::string const old_keys = text_list(table.manifest.key, "c."),
                    new_keys = text_list(table.manifest.key, "n.");
  auto const renamed =
      changed_rows(table,
                   "shardway_old c WHERE NOT (" + differs(table) + ") AND ARRAY[" + old_keys +
                       "] NOT IN (SELECT ARRAY[" + new_keys + "] FROM shardway_new n)",
                   "d");
  return "  IF current_setting('shardway.capture') <> 'outbox' THEN RETURN NULL; END IF;\n"
         "  epoch_now := current_setting('shardway.epoch')::int;\n"
         "  version_now := shardway.row_version(epoch_now, pg_current_wal_insert_lsn());\n"
         "  last_ordinal := coalesce(nullif(current_setting('shardway.ordinal', true), '')::int, 0);\n"
         "  IF TG_OP = 'INSERT' THEN\n" +
         record(table, changed_rows(table, "shardway_new c", "i")) + "  ELSIF TG_OP = 'UPDATE' THEN\n" +
         record(table, renamed + " UNION ALL " + changed_rows(table, "shardway_new c", "u")) + "  ELSE\n" +
         record(table, changed_rows(table, "shardway_old c", "d")) +
         "  END IF;\n"
         "  IF lines IS NOT NULL THEN\n"
         "    PERFORM set_config('shardway.ordinal', last_ordinal::text, true),\n"
         "      set_config('shardway.captured', coalesce(current_setting('shardway.captured', true), '') || "
         "lines, true);\n  END IF;\n";
}

// How many rows the transaction's triggers have seen changed, for the receipt.
std::string counting() {
  return "  IF TG_OP = 'DELETE' THEN SELECT count(*) INTO seen FROM shardway_old; ELSE SELECT count(*) INTO "
         "seen FROM shardway_new; END "
         "IF;\n"
         "  IF seen = 0 THEN RETURN NULL; END IF;\n"
         "  PERFORM set_config('shardway.changed', (coalesce(nullif(current_setting('shardway.changed', "
         "true), '')::bigint, 0) + "
         "seen)::text, true);\n";
}

std::string capture_body(table_state const& table, node_role role) {
  return "\n"
         "#variable_conflict use_variable\nDECLARE routed text[]; seen bigint; epoch_now int; version_now "
         "bigint; last_ordinal int; "
         "lines text;\nBEGIN\n"
         "  IF TG_OP = 'TRUNCATE' OR coalesce(current_setting('shardway.capture', true), '') = '' THEN "
         "PERFORM shardway.refuse_raw(" +
         names::literal(table.manifest.table) + "); END IF;\n" + counting() +
         "  routed := current_setting('shardway.key')::text[];\n" + checks(table, role) +
         (role == node_role::source ? recording(table) : std::string{}) + "  RETURN NULL;\nEND ";
}

// SECURITY DEFINER: it may run below a function whose owner knows nothing of the outbox. Keys are printed as
// the stream prints them.
std::string capture_function_sql(table_state const& table, node_role role) {
  auto const body = capture_body(table, role);
  // A name in it must not end the quotes.
  std::string tag = "$f$";
  for (int number = 0; body.find(tag) != body.npos; ++number) tag = "$f" + std::to_string(number) + "$";
  return "CREATE OR REPLACE FUNCTION " + names::capture_function(table.manifest.table) +
         "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET "
         "TimeZone = 'UTC' SET DateStyle "
         "= 'ISO'\n"
         "  SET IntervalStyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 3 AS " +
         tag + body + tag + ";\n";
}

constexpr std::string_view refusing_functions = R"sql(
CREATE OR REPLACE FUNCTION shardway.refuse_raw(p_table text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  RAISE EXCEPTION 'shardway: a change of % that can''t be captured was refused', p_table USING ERRCODE = 'SW009',
    HINT = 'Send it through execute, or give the table capture: TRIGGER. TRUNCATE is never captured.';
END $f$;
CREATE OR REPLACE FUNCTION shardway.refuse_raw_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  PERFORM shardway.refuse_raw(format('%s.%s', TG_TABLE_SCHEMA, TG_TABLE_NAME));
  RETURN NULL;
END $f$;
)sql";

constexpr std::string_view trigger_names[] = {"shardway_capture", "shardway_capture_insert",
                                              "shardway_capture_update", "shardway_capture_delete",
                                              "shardway_capture_truncate"};

std::string drops(std::string const& relation) {
  std::string sql;
  for (auto const name : trigger_names)
    sql += "DROP TRIGGER IF EXISTS " + std::string(name) + " ON " + relation + ";\n";
  return sql;
}

std::string trigger_sql(std::string const& relation, std::string const& name, std::string const& event,
                        std::string const& when, std::string const& function) {
  return "CREATE TRIGGER " + name + " AFTER " + event + " FOR EACH STATEMENT WHEN (" + when +
         ") EXECUTE FUNCTION " + function + "();\nALTER TABLE ONLY " + relation + " ENABLE ALWAYS TRIGGER " +
         name + ";\n";
}

// A raw change is one that no trigger made: what triggers and cascades change beside a framed statement are
// side effects.
std::string triggers_on(table_state const& table, std::string const& relation) {
  auto const ours = setting("writer") + " = " + names::literal("client/" + table.manifest.group);
  auto const raw = setting("raw") + " = 'refuse' AND pg_catalog.pg_trigger_depth() = 0";
  if (!captures_by_trigger(table))
    return trigger_sql(relation, "shardway_capture", "INSERT OR UPDATE OR DELETE OR TRUNCATE ON " + relation,
                       ours + " AND " + raw, "shardway.refuse_raw_change");
  auto const when = ours + " AND (" + setting("capture") + " <> '' OR (" + raw + "))";
  auto const function = names::capture_function(table.manifest.table);
  return trigger_sql(relation, "shardway_capture_insert",
                     "INSERT ON " + relation + " REFERENCING NEW TABLE AS shardway_new", when, function) +
         trigger_sql(
             relation, "shardway_capture_update",
             "UPDATE ON " + relation + " REFERENCING OLD TABLE AS shardway_old NEW TABLE AS shardway_new",
             when, function) +
         trigger_sql(relation, "shardway_capture_delete",
                     "DELETE ON " + relation + " REFERENCING OLD TABLE AS shardway_old", when, function) +
         trigger_sql(relation, "shardway_capture_truncate", "TRUNCATE ON " + relation, when, function);
}

}  // namespace

std::string capture_triggers_sql(table_state const& table, node_role role,
                                 std::vector<std::string> const& leaves) {
  std::string sql(refusing_functions);
  if (captures_by_trigger(table)) sql += capture_function_sql(table, role);
  auto relations = leaves;
  relations.push_back(table.manifest.table);
  for (auto const& name : relations) {
    auto const relation = names::quoted_table(name);
    sql += drops(relation) + triggers_on(table, relation);
  }
  if (!captures_by_trigger(table))
    sql += "DROP FUNCTION IF EXISTS " + names::capture_function(table.manifest.table) + "();\n";
  return sql;
}

std::string drop_capture_sql(std::string_view table, std::vector<std::string> const& leaves) {
  std::string sql;
  for (auto const& leaf : leaves) sql += drops(names::quoted_table(leaf));
  return sql + drops(names::quoted_table(table)) + "DROP FUNCTION IF EXISTS " +
         names::capture_function(table) + "();\n";
}

}  // namespace v0
}  // namespace shardway
