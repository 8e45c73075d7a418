// After the copy: secondary indexes, foreign keys, triggers.
#include "lib/migrate/onboard/indexes.hpp"
#include "lib/migrate/onboard/schema.hpp"
#include "lib/migrate/onboard/sql.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

constexpr std::string_view foreign_keys_sql =
    " SELECT format('%I.%I', n.nspname, c.relname), k.conname, pg_get_constraintdef(k.oid), format('%I.%I', "
    "rn.nspname, r.relname),"
    " k.convalidated,"
    " c.relkind = 'p', (SELECT format('%s.%s', rs.nspname, o.relname) FROM pg_class o JOIN pg_namespace rs "
    "ON rs.oid = o.relnamespace WHERE"
    " o.oid = ours.root)"
    " FROM ours JOIN pg_constraint k ON k.conrelid = ours.oid JOIN pg_class c ON c.oid = k.conrelid JOIN "
    "pg_namespace n ON n.oid ="
    " c.relnamespace"
    " JOIN pg_class r ON r.oid = k.confrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace WHERE k.contype "
    "= 'f' AND k.conparentid = 0"
    " ORDER BY 1, 2";

constexpr std::string_view triggers_sql =
    " SELECT format('%I.%I', n.nspname, c.relname), t.tgname, pg_get_triggerdef(t.oid), t.tgenabled,"
    " (SELECT format('%s.%s', rs.nspname, o.relname) FROM pg_class o JOIN pg_namespace rs ON rs.oid = "
    "o.relnamespace WHERE o.oid ="
    " ours.root)"
    " FROM ours JOIN pg_trigger t ON t.tgrelid = ours.oid JOIN pg_class c ON c.oid = t.tgrelid JOIN "
    "pg_namespace n ON n.oid ="
    " c.relnamespace"
    " WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname NOT LIKE 'shardway\\_%' ORDER BY 1, 2";

table_manifest const* manifest_of(std::vector<table_state> const& tables, std::string_view root) {
  for (auto const& table : tables)
    if (table.manifest.table == root) return &table.manifest;
  return nullptr;
}

struct foreign_key {
  std::string table, name, definition, target, root;
  bool validated{}, on_partitioned{};
};

result<bool> exists(session& shard, std::string_view sql, std::vector<text_value> parameters) {
  BOOST_OUTCOME_TRY(auto const found, shard.query({std::string(sql), std::move(parameters)}));
  return !found.empty();
}

result<std::string> why_left_out(session& shard, foreign_key const& key, table_manifest const* manifest) {
  if (manifest && contains(manifest->drop_foreign_keys, key.name))
    return std::string("the manifest drops it");
  BOOST_OUTCOME_TRY(bool const has_target,
                    exists(shard, "SELECT 1 WHERE to_regclass($1) IS NOT NULL", {key.target}));
  return has_target ? std::string{} : key.target + " is not on the shard";
}

// Adds the key as NOT VALID first: that needs only a short lock, and the long validation after it blocks no
// writer (CP9). Before 18, partitioned tables do not support NOT VALID.
result<> create_foreign_key(session& shard, foreign_key const& key, onboard_options const& options) {
  auto const quoted = shard.quote_identifier(key.name);
  bool const in_two = key.validated && !key.on_partitioned;
  BOOST_OUTCOME_TRY(
      bool const there,
      exists(shard, "SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2",
             {key.table, key.name}));
  if (!there) {
    auto const sql = "ALTER TABLE " + key.table + " ADD CONSTRAINT " + quoted + ' ' + key.definition +
                     (in_two ? " NOT VALID" : "");
    BOOST_OUTCOME_TRYV(run_ddl(shard, sql, key.table, options));
  }
  BOOST_OUTCOME_TRY(
      bool const open,
      exists(shard,
             "SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2 AND NOT"
             " convalidated",
             {key.table, key.name}));
  if (!open || !in_two) return success();
  auto const done =
      run_ddl(shard, "ALTER TABLE " + key.table + " VALIDATE CONSTRAINT " + quoted, key.table, options);
  if (!done) return done.error().while_doing("validating foreign key " + key.name);
  return success();
}

}  // namespace

result<> create_foreign_keys(session& source, session& shard, std::vector<table_state> const& tables,
                             onboard_options const& options, std::vector<std::string>& skipped) {
  BOOST_OUTCOME_TRY(auto const found, source.query({std::string(ours_cte) + std::string(foreign_keys_sql),
                                                    {table_array(tables)}}));
  for (std::size_t row = 0; row < found.size(); ++row) {
    auto const text = [&](std::size_t column) { return std::string(found.text(row, column)); };
    foreign_key const key{
        text(0), text(1), text(2), text(3), text(6), found.boolean(row, 4), found.boolean(row, 5)};
    BOOST_OUTCOME_TRY(auto const why, why_left_out(shard, key, manifest_of(tables, key.root)));
    if (!why.empty())
      skipped.push_back("foreign key " + key.name + " of " + key.table + ": " + why);
    else {
      BOOST_OUTCOME_TRYV(create_foreign_key(shard, key, options));
    }
  }
  return success();
}

// A trigger that is also enabled for replicas would run for the stream's rows. On the shard it runs for the
// application's writes only (F2).
result<> create_triggers(session& source, session& shard, std::vector<table_state> const& tables,
                         onboard_options const& options, std::vector<std::string>& skipped) {
  BOOST_OUTCOME_TRY(auto const found,
                    source.query({std::string(ours_cte) + std::string(triggers_sql), {table_array(tables)}}));
  for (std::size_t row = 0; row < found.size(); ++row) {
    std::string const table(found.text(row, 0)), name(found.text(row, 1)), enabled(found.text(row, 3));
    auto const* manifest = manifest_of(tables, found.text(row, 4));
    if (manifest && manifest->triggers == trigger_policy::source_only) {
      skipped.push_back("trigger " + name + " of " + table + ": the manifest keeps it on the source");
      continue;
    }
    if (enabled == "R") {
      skipped.push_back("trigger " + name + " of " + table + ": it runs for replicated rows only");
      continue;
    }
    BOOST_OUTCOME_TRY(
        bool const there,
        exists(shard, "SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = $2",
               {table, name}));
    if (there) continue;
    auto sql = std::string(found.text(row, 2)) + ";\n";
    if (enabled == "D")
      sql += "ALTER TABLE " + table + " DISABLE TRIGGER " + shard.quote_identifier(name) + ";\n";
    BOOST_OUTCOME_TRYV(run_ddl(shard, sql, table, options));
  }
  return success();
}

result<schema_report> finish_schema(onboard_node const& source, onboard_node const& shard,
                                    std::vector<table_state> const& tables, onboard_options const& options) {
  schema_report report;
  BOOST_OUTCOME_TRYV(create_indexes(*source.node, *shard.node, tables, options));
  BOOST_OUTCOME_TRYV(create_foreign_keys(*source.node, *shard.node, tables, options, report.skipped));
  BOOST_OUTCOME_TRYV(create_triggers(*source.node, *shard.node, tables, options, report.skipped));
  return report;
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
