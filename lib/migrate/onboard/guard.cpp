#include "lib/migrate/onboard/guard.hpp"

#include "lib/migrate/onboard/inspect.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

// Relations of the table whose guard is missing or weaker than wanted. A disabled trigger counts as absent.
constexpr std::string_view weaker_sql =
    " SELECT count(*) FILTER (WHERE t.proname IS NULL OR (t.proname <> 'refuse_foreign_write' AND "
    "$2::boolean)),"
    " count(*) FILTER (WHERE t.proname = 'refuse_foreign_write') FROM ours JOIN pg_class c USING (oid)"
    " LEFT JOIN LATERAL (SELECT p.proname FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid WHERE "
    "g.tgrelid = c.oid AND g.tgname ="
    " 'shardway_guard'"
    " AND g.tgenabled = 'A') t ON true WHERE c.relkind = 'r' OR c.oid = ours.root";

struct guard_count {
  std::int64_t weaker{}, refusing{};
};

result<guard_count> count_guards(session& node, table_state const& table, write_guard wanted) {
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({std::string(ours_cte) + std::string(weaker_sql),
                                {table_array({table}), wanted == write_guard::refusing ? "true" : "false"}}));
  guard_count out;
  BOOST_OUTCOME_TRY(out.weaker, found.integer(0, 0));
  BOOST_OUTCOME_TRY(out.refusing, found.integer(0, 1));
  return out;
}

}  // namespace

result<> raise_guard(session& node, table_state const& table, write_guard wanted,
                     onboard_options const& options) {
  BOOST_OUTCOME_TRY(auto const guards, count_guards(node, table, wanted));
  if (guards.weaker == 0) return success();
  auto const strength =
      guards.refusing > 0 ? write_guard::refusing : wanted;  // a new partition gets what its siblings have
  BOOST_OUTCOME_TRY(auto const leaves, table_leaves(node, table.manifest.table));
  return run_ddl(node, write_guard_sql(strength, table.manifest.table, table.manifest.group, leaves),
                 names::quoted_table(table.manifest.table), options);
}

result<> refuse_foreign_writers(std::vector<onboard_node> const& nodes,
                                std::vector<table_state> const& tables, onboard_options const& options) {
  for (auto const& place : nodes) {
    for (auto const& table : tables) {
      BOOST_OUTCOME_TRYV(raise_guard(*place.node, table, write_guard::refusing, options));
    }
  }
  return success();
}

result<> drop_write_guard(onboard_node const& node, std::vector<table_state> const& tables,
                          onboard_options const& options) {
  for (auto const& table : tables) {
    BOOST_OUTCOME_TRY(auto const leaves, table_leaves(*node.node, table.manifest.table));
    auto const sql = write_guard_sql(write_guard::absent, table.manifest.table, table.manifest.group, leaves);
    BOOST_OUTCOME_TRYV(run_ddl(*node.node, sql, names::quoted_table(table.manifest.table), options));
  }
  return success();
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
