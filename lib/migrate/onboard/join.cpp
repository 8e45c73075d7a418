#include "lib/migrate/onboard/join.hpp"

// Tables join the stream of the source (CP3), and the shards' tables the streams of the mirror.
#include <algorithm>

#include "lib/catalog/guarded.hpp"
#include "lib/migrate/onboard/guard.hpp"
#include "lib/migrate/onboard/publication.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

std::vector<std::string> fences_and_tables(std::vector<std::string> const& groups,
                                           std::vector<table_state> const& tables) {
  std::vector<std::string> out;
  for (auto const& group : groups) out.push_back(names::fence(group));
  for (auto const& table : tables) out.push_back(names::quoted_table(table.manifest.table));
  return out;
}

bool key_holds_shard_key(table_manifest const& table) {
  return std::all_of(table.shard_key.begin(), table.shard_key.end(),
                     [&](auto const& column) { return contains(table.key, column); });
}

// When a row's shard key changes, the stream needs the row's old place, which only a trigger knows.
result<> add_shard_key_trigger(session& source, table_state const& table, onboard_options const& options) {
  if (table.manifest.kind == table_kind::reference || key_holds_shard_key(table.manifest)) return success();
  auto const qualified = names::quoted_table(table.manifest.table);
  BOOST_OUTCOME_TRY(auto const there,
                    source.query({"SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass($1) AND tgname ="
                                  " 'shardway_key_change'",
                                  {qualified}}));
  if (!there.empty()) return success();
  return run_ddl(source, shard_key_trigger_sql(table, true), qualified, options);
}

struct made_replication_slot {
  bool is_new{};
  lsn consistent_point;
};

result<made_replication_slot> ensure_replication_slot(session& node, std::string const& name,
                                                      onboard_options const& options) {
  BOOST_OUTCOME_TRY(auto const found, find_replication_slot(node, name));
  if (found && found->is_lost())
    return error{error_code::stream_broken, "replication slot " + name + " is lost: changes since are gone",
                 "drop it and copy the tables again"}
        .at_node(node.identity().name);
  if (found) return made_replication_slot{};
  BOOST_OUTCOME_TRYV(run_guarded(node, options.token, {}));
  BOOST_OUTCOME_TRY(auto const point, create_logical_replication_slot(node, name, options.drain_timeout));
  return made_replication_slot{true, point};
}

}  // namespace

result<join_report> join_publication(onboard_node const& source, migration_manifest const& migration,
                                     std::vector<std::string> const& groups,
                                     std::vector<table_state> const& tables, onboard_options const& options) {
  auto& node = *source.node;
  auto relations = fences_and_tables(groups, tables);
  relations.insert(relations.begin(), {"shardway.outbox", "shardway.marker", "shardway.stream_progress"});
  join_report report;
  BOOST_OUTCOME_TRY(report.added,
                    extend_publication(node, names::publication(migration.name), relations, options));
  for (auto const& table : tables) {
    BOOST_OUTCOME_TRYV(raise_guard(node, table, write_guard::recording, options));
    BOOST_OUTCOME_TRYV(add_shard_key_trigger(node, table, options));
  }
  // Every call waits, because an earlier call that was cut short may not have waited. The wait comes before
  // the replication slot, whose creation would wait for the same transactions without naming them.
  BOOST_OUTCOME_TRY(report.waited_for, drain_older_transactions(node, options.drain_timeout));
  BOOST_OUTCOME_TRY(auto const made,
                    ensure_replication_slot(node, names::forward_replication_slot(migration.name), options));
  report.is_replication_slot_new = made.is_new;
  report.consistent_point = made.consistent_point;
  return report;
}

result<lsn> prepare_reverse(onboard_node const& shard, migration_manifest const& migration,
                            std::vector<std::string> const& groups, std::vector<table_state> const& tables,
                            onboard_options const& options) {
  auto& node = *shard.node;
  auto relations = fences_and_tables(groups, tables);
  relations.insert(relations.begin(), "shardway.marker");
  BOOST_OUTCOME_TRYV(extend_publication(node, names::publication(migration.name), relations, options));
  BOOST_OUTCOME_TRYV(drain_older_transactions(node, options.drain_timeout));
  BOOST_OUTCOME_TRY(
      auto const made,
      ensure_replication_slot(node, names::reverse_replication_slot(migration.name, shard.name), options));
  return made.consistent_point;
}

result<> drop_reverse(onboard_node const& shard, migration_manifest const& migration,
                      std::vector<table_state> const& tables, onboard_options const& options) {
  auto& node = *shard.node;
  auto const publication = names::publication(migration.name);
  BOOST_OUTCOME_TRY(
      auto const members,
      node.query({"SELECT format('%I.%I', n.nspname, c.relname), c.oid = ANY (SELECT to_regclass(u)::oid FROM"
                  " unnest($2::text[]) u) FROM pg_publication p"
                  " JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid = r.prrelid JOIN "
                  "pg_namespace n"
                  " ON n.oid = c.relnamespace"
                  " WHERE p.pubname = $1 AND n.nspname <> 'shardway'",
                  {publication, table_array(tables)}}));
  std::vector<std::string> leaving;
  for (std::size_t row = 0; row < members.size(); ++row)
    if (members.boolean(row, 1)) leaving.emplace_back(members.text(row, 0));
  auto const name = names::quoted(publication);
  if (leaving.size() < members.size()) {  // other groups still need the stream
    if (leaving.empty()) return success();
    return run_ddl(node, "ALTER PUBLICATION " + name + " DROP TABLE " + joined(leaving), leaving.front(),
                   options);
  }
  BOOST_OUTCOME_TRYV(run_guarded(node, options.token, {}));
  BOOST_OUTCOME_TRYV(
      drop_replication_slot(node, names::reverse_replication_slot(migration.name, shard.name)));
  return run_ddl(node, "DROP PUBLICATION IF EXISTS " + name, "shardway.marker", options);
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
