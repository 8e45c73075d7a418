#include "lib/migrate/controller/lookup_service.hpp"

#include <thread>

#include <absl/strings/str_cat.h>

#include "lib/migrate/lookup/job.hpp"
#include "lib/migrate/lookup/tables.hpp"
#include "lib/migrate/nodes/json.hpp"
#include "lib/migrate/onboard/publication.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/catalog/client_registry.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

std::string report_text(lookup::lookup_report const& report, bool is_ready) {
  nodes::json const document{
      {"relation", report.relation}, {"lookup", report.lookup},       {"ready", is_ready},
      {"rows", report.rows},         {"mappings", report.mappings},   {"missing", report.missing},
      {"stale", report.stale},       {"misplaced", report.misplaced}, {"duplicates", report.duplicates},
      {"added", report.added},       {"removed", report.removed},     {"busy", report.busy}};
  return nodes::to_text(document);
}

// A table, or a leaf of one, that writers without the library could change: what they write has no mapping.
constexpr char unguarded_sql[] =
    "SELECT r.oid::regclass::text FROM (SELECT $1::regclass AS oid UNION SELECT relid FROM "
    "pg_partition_tree($1::regclass)) r WHERE NOT EXISTS "
    "(SELECT 1 FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = r.oid AND t.tgname = "
    "'shardway_guard' AND t.tgenabled = 'A' "
    "AND p.proname = 'refuse_foreign_write')";

result<> check_guarded(session& node, table_state const& table) {
  BOOST_OUTCOME_TRY(auto const unguarded,
                    node.query({unguarded_sql, {names::quoted_table(table.manifest.table)}}));
  if (unguarded.empty()) return success();
  return error{error_code::precondition_failed,
               absl::StrCat(std::string(unguarded.text(0, 0)),
                            " does not refuse foreign writers: rows they write would have no mapping"),
               "shardway migrate guard --group " + table.manifest.group}
      .at_node(node.identity().name);
}

// Clients report their generation once a second.
result<> await_clients(session& source, generation const& current, controller_options const& options) {
  auto const deadline = steady_now() + options.gate_patience;
  for (;;) {
    BOOST_OUTCOME_TRY(auto const behind, clients_behind(source, current.number, options.client_expiry));
    if (behind.empty()) return success();
    if (steady_now() >= deadline)
      return error{
          error_code::precondition_failed,
          absl::StrCat(behind.size(), " clients are behind generation ", current.number,
                       " and may not keep the lookup yet, the first of them ", behind.front().application),
          "wait, or end them; a dead one expires by itself"};
    sleep_for(std::chrono::milliseconds{200});
  }
}

std::vector<session*> shards_then_source(node_sessions const& sessions) {
  auto all = sessions.shards;
  all.push_back(sessions.source);
  return all;
}

}  // namespace

result<std::string> lookup_service::serve(lookup_arguments const& asked) {
  auto const* table = context_.current->find_table(asked.table);
  if (!table) return error{error_code::unknown_table, "table " + asked.table + " is in no manifest"};
  auto const wanted = find_lookup(*table, asked.name);
  if (!wanted)
    return error{error_code::invalid_argument,
                 absl::StrCat("table ", asked.table, " has no lookup \"", asked.name, "\"")};
  BOOST_OUTCOME_TRY(auto const state, context_.group(table->manifest.group));
  if (state.stage < stage::dual_writing)
    return error{error_code::precondition_failed,
                 absl::StrCat("group ", state.name, " is at stage ", std::string(name(state.stage)),
                              ": clients keep lookups from dual_writing on"),
                 "shardway migrate advance --group " + state.name + " --to dual_writing"};
  // Ending a wave adopts a new generation. `table` and `wanted` point into this one.
  auto const current = context_.current;
  BOOST_OUTCOME_TRYV(waves_.end_waves());
  BOOST_OUTCOME_TRYV(lookup::prepare_lookups(context_.nodes.source_node(), context_.nodes.shard_nodes(),
                                             {*table}, context_.options.migration, context_.onboarding()));
  auto const sessions = context_.nodes.sessions();
  if (asked.task == lookup::lookup_task::build) {
    BOOST_OUTCOME_TRYV(await_keepers(*table));
  }
  BOOST_OUTCOME_TRY(auto const report, lookup::run_lookup_task(sessions, *context_.current, *wanted,
                                                               asked.task, context_.token()));
  stop_point("lookup_before_ready");
  if (asked.task == lookup::lookup_task::build && report.is_complete()) {
    BOOST_OUTCOME_TRYV(lookup::set_lookup_ready(sessions, *wanted, true, context_.token()));
  }
  BOOST_OUTCOME_TRY(bool const is_ready, lookup::is_lookup_ready(*sessions.source, *wanted));
  return report_text(report, is_ready);
}

// After this every row that is written gets its mapping, so that a scan that begins afterwards misses none.
result<> lookup_service::await_keepers(table_state const& table) {
  auto const sessions = context_.nodes.sessions();
  for (auto* node : shards_then_source(sessions)) {
    BOOST_OUTCOME_TRYV(check_guarded(*node, table));
  }
  BOOST_OUTCOME_TRYV(await_clients(*sessions.source, *context_.current, context_.options));
  for (auto* node : shards_then_source(sessions)) {
    BOOST_OUTCOME_TRYV(onboard::drain_older_transactions(*node, context_.onboarding().drain_timeout));
  }
  return success();
}

result<> prepare_known_lookups(node_connections& nodes, generation const& next, grantees const& roles,
                               onboard::onboard_options const& options) {
  std::vector<table_state> kept;
  for (auto const& table : next.tables)
    if (next.find_group(table.manifest.group)->stage >= stage::dual_writing) kept.push_back(table);
  return lookup::prepare_lookups(nodes.source_node(), nodes.shard_nodes(), kept, roles, options);
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
