// Requests about lookups, and the gate that asks for them.
#include <algorithm>

#include "lib/migrate/controller/parts.hpp"
#include "lib/migrate/lookup/job.hpp"
#include "lib/migrate/lookup/tables.hpp"
#include "lib/migrate/nodes/json_text.hpp"
#include "lib/migrate/onboard/publication.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/catalog/client_registry.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::control;
namespace {

std::string to_json(lookup::lookup_report const& report, bool ready) {
  return nodes::json_object()
      .text("relation", report.relation)
      .text("lookup", report.lookup)
      .boolean("ready", ready)
      .number("rows", report.rows)
      .number("mappings", report.mappings)
      .number("missing", report.missing)
      .number("stale", report.stale)
      .number("misplaced", report.misplaced)
      .number("duplicates", report.duplicates)
      .number("added", report.added)
      .number("removed", report.removed)
      .number("busy", report.busy)
      .str();
}

// A table, or a leaf of one, that writers without the library could change: what they write has no mapping.
constexpr char unguarded_sql[] =
    "SELECT r.oid::regclass::text FROM (SELECT $1::regclass AS oid UNION SELECT relid FROM "
    "pg_partition_tree($1::regclass)) r WHERE NOT EXISTS "
    "(SELECT 1 FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = r.oid AND t.tgname = "
    "'shardway_guard' AND t.tgenabled = 'A' "
    "AND p.proname = 'refuse_foreign_write')";

result<> check_guarded(node_sessions const& nodes, table_state const& table) {
  auto all = nodes.shards;
  all.push_back(nodes.source);
  for (auto* node : all) {
    BOOST_OUTCOME_TRY(auto const open,
                      node->query({unguarded_sql, {names::quoted_table(table.manifest.table)}}));
    if (!open.empty())
      return error{error_code::precondition_failed,
                   std::string(open.text(0, 0)) +
                       " does not refuse foreign writers: rows they write would have no mapping",
                   "shardway migrate guard --group " + table.manifest.group}
          .at_node(node->identity().name);
  }
  return success();
}

// Clients tell their generation once a second.
result<> await_clients(session& source, generation const& now, controller_options const& options) {
  auto const until = steady_now() + options.gate_patience;
  for (;;) {
    BOOST_OUTCOME_TRY(auto const behind, clients_behind(source, now.number, options.client_expiry));
    if (behind.empty()) return success();
    if (steady_now() >= until)
      return error{error_code::precondition_failed,
                   std::to_string(behind.size()) + " clients are behind generation " +
                       std::to_string(now.number) + " and may not keep the lookup yet, the first of them " +
                       behind.front().application,
                   "wait, or end them; a dead one expires by itself"};
    sleep_for(std::chrono::milliseconds{200});
  }
}

result<lookup::lookup_task> task_of(std::string const& name) {
  if (name == "build") return lookup::lookup_task::build;
  if (name == "check") return lookup::lookup_task::check;
  if (name == "repair") return lookup::lookup_task::repair;
  return error{error_code::invalid_argument,
               "a lookup can be built, checked or repaired: do is build, check or repair"};
}

}  // namespace

result<std::string> controller::parts::serve_lookup(request const& asked) {
  BOOST_OUTCOME_TRY(auto const table_name, argument(asked, "table"));
  BOOST_OUTCOME_TRY(auto const name, argument(asked, "name"));
  BOOST_OUTCOME_TRY(auto const what, argument(asked, "do"));
  BOOST_OUTCOME_TRY(auto const task, task_of(what));
  auto const* table = now->find_table(table_name);
  if (!table) return error{error_code::unknown_table, "table " + table_name + " is in no manifest"};
  auto const of = find_lookup(*table, name);
  if (!of)
    return error{error_code::invalid_argument, "table " + table_name + " has no lookup \"" + name + "\""};
  BOOST_OUTCOME_TRY(auto const state, group(table->manifest.group));
  if (state.stage < stage::dual_writing)
    return error{error_code::precondition_failed,
                 "group " + state.name + " is at stage " + std::string(shardway::name(state.stage)) +
                     ": clients keep lookups from dual_writing on",
                 "shardway migrate advance --group " + state.name + " --to dual_writing"};
  BOOST_OUTCOME_TRYV(end_waves());
  BOOST_OUTCOME_TRYV(lookup::prepare_lookups(nodes.source_node(), nodes.shard_nodes(), {*table},
                                             options.migration.application_role, onboarding()));
  auto const sessions = nodes.sessions();
  if (task == lookup::lookup_task::build) {
    BOOST_OUTCOME_TRYV(await_keepers(*table));
  }
  BOOST_OUTCOME_TRY(auto const report, lookup::run_lookup_task(sessions, *now, *of, task, token()));
  stop_point("lookup_before_ready");
  if (task == lookup::lookup_task::build && report.is_complete()) {
    BOOST_OUTCOME_TRYV(lookup::set_lookup_ready(sessions, *of, true, token()));
  }
  BOOST_OUTCOME_TRY(bool const ready, lookup::is_lookup_ready(*sessions.source, *of));
  return to_json(report, ready);
}

// From here on every row that is written gets its mapping: a look at all rows that begins afterwards misses
// none.
result<> controller::parts::await_keepers(table_state const& table) {
  auto const sessions = nodes.sessions();
  BOOST_OUTCOME_TRYV(check_guarded(sessions, table));
  BOOST_OUTCOME_TRYV(await_clients(*sessions.source, *now, options));
  auto all = sessions.shards;
  all.push_back(sessions.source);
  for (auto* node : all) {
    BOOST_OUTCOME_TRYV(onboard::drain_older_transactions(*node, onboarding().drain_timeout));
  }
  return success();
}

// Tables of lookups stand before the first client hears of them.
result<> prepare_known_lookups(node_connections& nodes, generation const& next, std::string const& role,
                               onboard::onboard_options const& options) {
  std::vector<table_state> kept;
  for (auto const& table : next.tables)
    if (next.find_group(table.manifest.group)->stage >= stage::dual_writing) kept.push_back(table);
  return lookup::prepare_lookups(nodes.source_node(), nodes.shard_nodes(), kept, role, options);
}

}  // namespace v0
}  // namespace shardway
