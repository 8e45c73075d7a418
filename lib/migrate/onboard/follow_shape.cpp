#include "lib/migrate/onboard/follow_shape.hpp"

#include "absl/strings/str_cat.h"
#include "lib/migrate/onboard/capture.hpp"
#include "lib/migrate/onboard/guard.hpp"
#include "lib/migrate/onboard/inspect.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

// In one transaction: between the partition and its replica identity no row can be deleted.
result<> make_partition(session& shard, table_state const& table, std::string const& application_role,
                        std::string const& sql, onboard_options const& options) {
  return run_ddl(shard, absl::StrCat(sql, "\n", shard_table_sql(table, application_role)),
                 names::quoted_table(table.manifest.table), options);
}

}  // namespace

result<> raise_leaf_truncates(session& node, std::vector<table_state> const& tables,
                              onboard_options const& options) {
  for (auto const& table : tables) {
    if (!table.partitioned) continue;
    BOOST_OUTCOME_TRY(auto const leaves, table_leaves(node, table.manifest.table));
    if (leaves.empty()) continue;
    BOOST_OUTCOME_TRYV(
        run_ddl(node, leaf_truncate_sql(leaves, true), names::quoted_table(table.manifest.table), options));
  }
  return success();
}

result<> follow_difference(onboard_node const& node, node_role role, table_state const& table,
                           std::string const& application_role, shape_difference const& difference,
                           onboard_options const& options) {
  switch (difference.kind) {
    case shape_kind::relation:
      return make_partition(*node.node, table, application_role, difference.sql, options);
    case shape_kind::replica_identity:
      return make_partition(*node.node, table, application_role, {}, options);
    case shape_kind::guard:
      return raise_guard(*node.node, table, write_guard::recording, options);
    case shape_kind::capture:
      return raise_capture(node, role, {table}, options);
    case shape_kind::truncate_trigger:
      return raise_leaf_truncates(*node.node, {table}, options);
    default:
      return success();
  }
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
