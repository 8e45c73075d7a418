// The tables of lookups, and which lookups are complete.
#include "lib/catalog/guarded.hpp"
#include "lib/migrate/lookup/job.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::lookup {
namespace {

// What a table of mappings was made for; it is not altered.
std::string shape_of(lookup_of_table const& lookup) {
  std::string shape = lookup.lookup->unique ? "unique" : "not unique";
  for (auto const& column : lookup.lookup->columns) shape += ' ' + names::quoted(column);
  return shape;
}

result<> prepare_on(onboard::onboard_node const& node, bool is_shard, table_state const& table,
                    grantees const& roles, onboard::onboard_options const& options) {
  std::string sql = lookup_state_sql(roles);
  for (auto const& index : table.manifest.lookups) {
    lookup_of_table const lookup{&table, &index};
    if (is_shard) sql += lookup_table_sql(lookup, roles);
    sql += "INSERT INTO shardway.lookup (relation, name, shape, is_ready) VALUES (" +
           names::literal(table.manifest.table) + ", " + names::literal(index.name) + ", " +
           names::literal(shape_of(lookup)) + ", false) ON CONFLICT DO NOTHING;\n";
  }
  return onboard::run_ddl(*node.node, sql, "shardway.lookup", options);
}

// Clients keep these no more: should a manifest name one again, it is built anew.
result<> retire_others(onboard::onboard_node const& node, table_state const& table,
                       onboard::onboard_options const& options) {
  std::vector<std::string> kept;
  for (auto const& index : table.manifest.lookups) kept.push_back(index.name);
  BOOST_OUTCOME_TRY(auto const there,
                    node.node->query({"SELECT to_regclass('shardway.lookup') IS NOT NULL"}));
  if (!there.boolean(0, 0)) return success();
  BOOST_OUTCOME_TRYV(run_guarded(*node.node, options.token,
                                 {{.sql = "UPDATE shardway.lookup SET is_ready = false, at = "
                                          "clock_timestamp() WHERE relation = $1 AND name <> ALL ($2::text[])"
                                          " AND is_ready",
                                   .parameters = {table.manifest.table, text_array(kept)}}}));
  return success();
}

result<> check_shapes(onboard::onboard_node const& source, table_state const& table) {
  BOOST_OUTCOME_TRY(auto const found,
                    source.node->query({"SELECT name, shape FROM shardway.lookup WHERE relation = $1",
                                        {table.manifest.table}}));
  for (std::size_t row = 0; row < found.size(); ++row) {
    auto const lookup = find_lookup(table, found.text(row, 0));
    if (!lookup || shape_of(*lookup) == found.text(row, 1)) continue;
    return error{error_code::precondition_failed,
                 "lookup \"" + lookup->lookup->name + "\" of " + table.manifest.table + " was made for (" +
                     std::string(found.text(row, 1)) + "), and the manifest says (" + shape_of(*lookup) + ")",
                 "give the new lookup another name"};
  }
  return success();
}

}  // namespace

result<> prepare_lookups(onboard::onboard_node const& source,
                         std::vector<onboard::onboard_node> const& shards,
                         std::vector<table_state> const& tables, grantees const& application,
                         onboard::onboard_options const& options) {
  for (auto const& table : tables) {
    BOOST_OUTCOME_TRYV(retire_others(source, table, options));
    for (auto const& shard : shards) {
      BOOST_OUTCOME_TRYV(retire_others(shard, table, options));
    }
    if (table.manifest.lookups.empty()) continue;
    BOOST_OUTCOME_TRYV(prepare_on(source, false, table, application, options));
    BOOST_OUTCOME_TRYV(check_shapes(source, table));
    for (auto const& shard : shards) {
      BOOST_OUTCOME_TRYV(prepare_on(shard, true, table, application, options));
    }
  }
  return success();
}

result<bool> is_lookup_ready(session& source, lookup_of_table const& lookup) {
  BOOST_OUTCOME_TRY(auto const there, source.query({"SELECT to_regclass('shardway.lookup') IS NOT NULL"}));
  if (!there.boolean(0, 0)) return false;
  BOOST_OUTCOME_TRY(auto const found, source.query(lookup_ready_statement(lookup)));
  return found.boolean(0, 0);
}

// The source last: what it says is what a gate believes.
result<> set_lookup_ready(node_sessions const& nodes, lookup_of_table const& lookup, bool ready,
                          std::int64_t token) {
  auto all = nodes.shards;
  all.push_back(nodes.source);
  for (auto* node : all) {
    BOOST_OUTCOME_TRYV(run_guarded(
        *node, token,
        {{.sql = "UPDATE shardway.lookup SET is_ready = $3::boolean, at = clock_timestamp() WHERE relation = "
                 "$1 AND name = $2",
          .parameters = {lookup.table->manifest.table, lookup.lookup->name,
                         std::string(ready ? "t" : "f")}}}));
  }
  return success();
}

}  // namespace migrate::lookup
}  // namespace v0
}  // namespace shardway
