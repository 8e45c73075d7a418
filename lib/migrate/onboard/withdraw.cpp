#include "lib/migrate/onboard/withdraw.hpp"

#include <absl/strings/str_cat.h>

#include "lib/catalog/guarded.hpp"
#include "lib/migrate/onboard/capture.hpp"
#include "lib/migrate/onboard/guard.hpp"
#include "lib/migrate/onboard/inspect.hpp"
#include "lib/migrate/onboard/join.hpp"
#include "lib/migrate/onboard/leave.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

constexpr std::string_view dependents_sql =
    " SELECT DISTINCT format('foreign key %s.%s.%s', n.nspname, c.relname, k.conname) FROM pg_constraint k "
    "JOIN "
    "pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'f' "
    "AND "
    "k.conparentid = 0 AND k.confrelid IN (SELECT oid FROM ours) AND k.conrelid NOT IN (SELECT oid FROM ours)"
    " UNION SELECT format('view %s.%s', n.nspname, c.relname) FROM pg_depend d JOIN pg_rewrite w ON w.oid = "
    "d.objid JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
    "d.classid = "
    "'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM ours) "
    "AND "
    "c.oid NOT IN (SELECT oid FROM ours) ORDER BY 1";

std::string names_of(std::vector<table_state> const& tables) {
  std::vector<std::string> names;
  for (auto const& table : tables) names.push_back(table.manifest.table);
  return text_array(names);
}

result<std::vector<table_state>> tables_there(session& node, std::vector<table_state> const& tables) {
  std::vector<table_state> there;
  for (auto const& table : tables) {
    BOOST_OUTCOME_TRY(auto const found, node.query({"SELECT to_regclass($1) IS NOT NULL",
                                                    {names::quoted_table(table.manifest.table)}}));
    if (found.boolean(0, 0)) there.push_back(table);
  }
  return there;
}

result<bool> has_relation(session& node, char const* relation) {
  BOOST_OUTCOME_TRY(auto const found, node.query({"SELECT to_regclass($1) IS NOT NULL", {relation}}));
  return found.boolean(0, 0);
}

result<> drop_triggers(onboard_node const& source, std::vector<table_state> const& tables,
                       onboard_options const& options) {
  for (auto const& table : tables) {
    auto const& name = table.manifest.table;
    BOOST_OUTCOME_TRY(auto const leaves, table_leaves(*source.node, name));
    auto const sql = absl::StrCat(drop_capture_sql(name, leaves), leaf_truncate_sql(leaves, false),
                                  write_guard_sql(write_guard::absent, name, table.manifest.group, leaves),
                                  shard_key_trigger_sql(table, false));
    BOOST_OUTCOME_TRYV(run_ddl(*source.node, sql, names::quoted_table(name), options));
  }
  return success();
}

// The next id is the last one given plus the old increment: it is above every id, on whichever node it was
// given.
result<> restore_increments(onboard_node const& source, std::vector<table_state> const& tables,
                            onboard_options const& options) {
  auto& node = *source.node;
  BOOST_OUTCOME_TRY(bool const is_known, has_relation(node, "shardway.sequence_increment"));
  if (!is_known) return success();
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({"SELECT sequence, increment, to_regclass(sequence) IS NOT NULL FROM "
                                "shardway.sequence_increment WHERE relation = ANY ($1::text[]) ORDER BY 1",
                                {names_of(tables)}}));
  for (std::size_t row = 0; row < found.size(); ++row) {
    std::string const sequence(found.text(row, 0));
    auto sql =
        absl::StrCat("DELETE FROM shardway.sequence_increment WHERE sequence = ", names::literal(sequence));
    if (found.boolean(row, 2))
      absl::StrAppend(&sql, ";\nALTER SEQUENCE ", sequence, " INCREMENT BY ",
                      std::string(found.text(row, 1)));
    BOOST_OUTCOME_TRYV(run_ddl(node, sql, sequence, options));
  }
  return success();
}

// Functions of ours for these tables, whatever their parameters are.
result<std::vector<std::string>> functions_of(session& node, std::vector<table_state> const& tables) {
  std::vector<std::string> names;
  for (auto const& table : tables) {
    names.push_back(names::apply_function(table.manifest.table));
    names.push_back(names::capture_function(table.manifest.table));
  }
  BOOST_OUTCOME_TRY(
      auto const found,
      node.query({"SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = "
                  "p.pronamespace WHERE n.nspname = 'shardway' AND 'shardway.\"' || "
                  "replace(p.proname, '\"', '\"\"') || '\"' = ANY ($1::text[]) ORDER BY 1",
                  {text_array(names)}}));
  return column_of(found, 0);
}

result<> drop_tables(onboard_node const& shard, std::vector<table_state> const& tables,
                     onboard_options const& options) {
  if (tables.empty()) return success();
  std::vector<std::string> quoted;
  for (auto const& table : tables) quoted.push_back(names::quoted_table(table.manifest.table));
  auto sql = absl::StrCat("DROP TABLE IF EXISTS ", joined(quoted));
  BOOST_OUTCOME_TRY(auto const functions, functions_of(*shard.node, tables));
  for (auto const& function : functions) absl::StrAppend(&sql, ";\nDROP FUNCTION IF EXISTS ", function);
  auto const dropped = run_ddl(*shard.node, sql, quoted.front(), options);
  if (dropped || dropped.error().sqlstate() != "2BP01") return dropped;
  return dropped.error().with_hint("drop what depends on the tables, or keep the tables on the shards");
}

result<> drop_lookups(onboard_node const& node, std::vector<table_state> const& tables,
                      onboard_options const& options) {
  BOOST_OUTCOME_TRY(bool const has_lookups, has_relation(*node.node, "shardway.lookup"));
  if (!has_lookups) return success();
  BOOST_OUTCOME_TRY(auto const found,
                    node.node->query({"SELECT relation, name FROM shardway.lookup WHERE relation = ANY "
                                      "($1::text[])",
                                      {names_of(tables)}}));
  for (std::size_t row = 0; row < found.size(); ++row) {
    auto const mappings = names::lookup_table(found.text(row, 0), found.text(row, 1));
    BOOST_OUTCOME_TRYV(run_ddl(*node.node, "DROP TABLE IF EXISTS " + mappings, mappings, options));
  }
  BOOST_OUTCOME_TRYV(run_guarded(*node.node, options.token,
                                 {{.sql = "DELETE FROM shardway.lookup WHERE relation = ANY ($1::text[])",
                                   .parameters = {names_of(tables)}}}));
  return success();
}

// Repeats what drops a replication slot: the server may not have seen yet that its consumer has gone.
template <class Drop>
result<> once_slot_is_free(Drop const& drop) {
  auto const deadline = steady_now() + std::chrono::seconds{10};
  for (;;) {
    result<> const dropped = drop();
    if (dropped || dropped.error().code() != error_code::precondition_failed || steady_now() >= deadline)
      return dropped;
    sleep_for(std::chrono::milliseconds{100});
  }
}

}  // namespace

result<std::vector<std::string>> find_dependents(onboard_node const& shard,
                                                 std::vector<table_state> const& tables) {
  BOOST_OUTCOME_TRY(auto const found, shard.node->query({std::string(ours_cte) + std::string(dependents_sql),
                                                         {table_array(tables)}}));
  return column_of(found, 0);
}

result<> leave_source(onboard_node const& source, migration_manifest const& migration,
                      std::vector<table_state> const& tables, onboard_options const& options) {
  BOOST_OUTCOME_TRYV(leave_publication(source, migration, tables, options));
  BOOST_OUTCOME_TRYV(drop_triggers(source, tables, options));
  BOOST_OUTCOME_TRYV(drop_lookups(source, tables, options));
  return restore_increments(source, tables, options);
}

result<> leave_shard(onboard_node const& shard, migration_manifest const& migration,
                     std::vector<table_state> const& tables, shard_tables fate,
                     onboard_options const& options) {
  BOOST_OUTCOME_TRYV(once_slot_is_free([&] { return drop_reverse(shard, migration, tables, options); }));
  BOOST_OUTCOME_TRY(auto const there, tables_there(*shard.node, tables));
  if (fate == shard_tables::kept) {
    BOOST_OUTCOME_TRYV(drop_capture(shard, there, options));
    BOOST_OUTCOME_TRYV(drop_shard_helpers(shard, there, options));
  } else {
    BOOST_OUTCOME_TRYV(drop_tables(shard, tables, options));
  }
  BOOST_OUTCOME_TRYV(drop_lookups(shard, tables, options));
  BOOST_OUTCOME_TRYV(run_guarded(*shard.node, options.token,
                                 {{.sql = "DELETE FROM shardway.parked WHERE relation = ANY ($1::text[])",
                                   .parameters = {names_of(tables)}}}));
  return success();
}

result<> drop_fence(onboard_node const& node, std::string const& group, onboard_options const& options) {
  return run_ddl(*node.node,
                 absl::StrCat("DROP TABLE IF EXISTS ", names::fence_lock(group), ", ", names::fence(group)),
                 names::fence_lock(group), options);
}

// A shard whose old position stayed would look as if it had missed what lies before the next replication
// slot.
result<> drop_forward_stream(onboard_node const& source, std::vector<onboard_node> const& shards,
                             migration_manifest const& migration, onboard_options const& options) {
  BOOST_OUTCOME_TRYV(run_guarded(*source.node, options.token, {}));
  BOOST_OUTCOME_TRYV(once_slot_is_free([&]() -> result<> {
    BOOST_OUTCOME_TRYV(drop_replication_slot(*source.node, names::forward_replication_slot(migration.name)));
    return success();
  }));
  BOOST_OUTCOME_TRYV(
      run_ddl(*source.node, "DROP PUBLICATION IF EXISTS " + names::quoted(names::publication(migration.name)),
              "shardway.marker", options));
  for (auto const& shard : shards) {
    BOOST_OUTCOME_TRYV(run_guarded(*shard.node, options.token,
                                   {{.sql = "DELETE FROM shardway.stream_progress WHERE stream = $1",
                                     .parameters = {std::string(names::source_stream)}}}));
  }
  BOOST_OUTCOME_TRYV(
      run_guarded(*source.node, options.token,
                  {{.sql = "DELETE FROM shardway.status WHERE name = 'windows'", .parameters = {}}}));
  return success();
}

result<> forget_rows(onboard_node const& source, std::string const& group,
                     std::vector<table_state> const& tables, onboard_options const& options) {
  auto const names = names_of(tables);
  BOOST_OUTCOME_TRYV(run_guarded(
      *source.node, options.token,
      {{.sql = "DELETE FROM shardway.chunk WHERE relation = ANY ($1::text[])", .parameters = {names}},
       {.sql = "DELETE FROM shardway.repair WHERE relation = ANY ($1::text[])", .parameters = {names}},
       {.sql = "DELETE FROM shardway.parked WHERE relation = ANY ($1::text[])", .parameters = {names}},
       {.sql = "DELETE FROM shardway.certificate WHERE group_name = $1", .parameters = {group}}}));
  auto const emptied = run_guarded(
      *source.node, options.token,
      {{.sql = "DELETE FROM shardway.outbox WHERE relation = ANY ($1::text[])", .parameters = {names}}});
  // 55000: a partition that an older release made has no replica identity, and the table is published. Its
  // hour expires by itself.
  if (!emptied && emptied.error().sqlstate() != "55000") return emptied.error();
  return success();
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
