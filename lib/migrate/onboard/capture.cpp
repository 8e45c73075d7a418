#include "lib/migrate/onboard/capture.hpp"

#include "lib/migrate/onboard/inspect.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

// Relations of the table that lack a wanted trigger or have an unwanted one. A disabled trigger counts as
// absent.
constexpr std::string_view wrong_sql =
    " SELECT count(*) FROM ours JOIN pg_class c USING (oid) WHERE (c.relkind = 'r' OR c.oid = ours.root) AND "
    "$2::text[] IS DISTINCT FROM"
    " (SELECT array_agg(g.tgname::text ORDER BY g.tgname::text COLLATE \"C\") FROM pg_trigger g WHERE "
    "g.tgrelid = c.oid AND g.tgname LIKE"
    " 'shardway\\_capture%' AND g.tgenabled = 'A')";

std::vector<std::string> wanted_triggers(table_state const& table) {
  if (!captures_by_trigger(table)) return {"shardway_capture"};
  return {"shardway_capture_delete", "shardway_capture_insert", "shardway_capture_truncate",
          "shardway_capture_update"};
}

}  // namespace

result<> raise_capture(onboard_node const& node, node_role role, std::vector<table_state> const& tables,
                       onboard_options const& options) {
  for (auto const& table : tables) {
    if (table.manifest.kind == table_kind::reference) continue;
    BOOST_OUTCOME_TRY(auto const found,
                      node.node->query({std::string(ours_cte) + std::string(wrong_sql),
                                        {table_array({table}), text_array(wanted_triggers(table))}}));
    BOOST_OUTCOME_TRY(auto const wrong, found.integer(0, 0));
    if (wrong == 0) continue;
    BOOST_OUTCOME_TRY(auto const leaves, table_leaves(*node.node, table.manifest.table));
    BOOST_OUTCOME_TRYV(run_ddl(*node.node, capture_triggers_sql(table, role, leaves),
                               names::quoted_table(table.manifest.table), options));
  }
  return success();
}

result<> drop_capture(onboard_node const& node, std::vector<table_state> const& tables,
                      onboard_options const& options) {
  for (auto const& table : tables) {
    BOOST_OUTCOME_TRY(auto const leaves, table_leaves(*node.node, table.manifest.table));
    BOOST_OUTCOME_TRYV(
        run_ddl(*node.node, drop_capture_sql(table.manifest.table, leaves) + leaf_truncate_sql(leaves, false),
                names::quoted_table(table.manifest.table), options));
  }
  return success();
}

result<> change_captures(std::vector<onboard_node> const& nodes_source_first, generation const& now,
                         generation const& next, capture_change when, onboard_options const& options) {
  for (auto const& table : next.tables) {
    auto const* before = now.find_table(table.manifest.table);
    auto const* group = now.find_group(table.manifest.group);
    if (!before || !group || group->stage < stage::copying || group->stage == stage::finalized) continue;
    bool const to_triggers = captures_by_trigger(table);
    if (captures_by_trigger(*before) == to_triggers ||
        to_triggers != (when == capture_change::before_publication))
      continue;
    for (auto const& node : nodes_source_first) {
      bool const is_source = &node == &nodes_source_first.front();
      if (!is_source && group->stage < stage::dual_writing) continue;
      BOOST_OUTCOME_TRYV(
          raise_capture(node, is_source ? node_role::source : node_role::shard, {table}, options));
    }
  }
  return success();
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
