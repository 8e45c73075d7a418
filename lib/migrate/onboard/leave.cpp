#include "lib/migrate/onboard/leave.hpp"

#include <algorithm>

#include "lib/catalog/guarded.hpp"
#include "lib/migrate/onboard/inspect.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

std::vector<std::string> tables_and_fences(std::vector<table_state> const& tables) {
  std::vector<std::string> relations;
  for (auto const& table : tables)
    for (auto const& relation :
         {names::quoted_table(table.manifest.table), names::fence(table.manifest.group)})
      if (std::find(relations.begin(), relations.end(), relation) == relations.end())
        relations.push_back(relation);
  return relations;
}

}  // namespace

result<> leave_publication(onboard_node const& source, migration_manifest const& migration,
                           std::vector<table_state> const& tables, onboard_options const& options) {
  auto const publication = names::publication(migration.name);
  for (auto const& relation : tables_and_fences(tables)) {
    BOOST_OUTCOME_TRY(
        auto const member,
        source.node->query(
            {.sql = "SELECT 1 FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid "
                    "WHERE p.pubname = $1::text AND r.prrelid = to_regclass($2)",
             .parameters = {publication, relation}}));
    if (member.empty()) continue;
    BOOST_OUTCOME_TRYV(run_ddl(*source.node,
                               "ALTER PUBLICATION " + names::quoted(publication) + " DROP TABLE " + relation,
                               relation, options));
  }
  // Nothing keeps the copy up to date any more. If its chunks stayed closed, they would count as a valid copy
  // when the table joins again.
  for (auto const& table : tables) {
    BOOST_OUTCOME_TRYV(run_guarded(
        *source.node, options.token,
        {{.sql = "DELETE FROM shardway.chunk WHERE relation = $1", .parameters = {table.manifest.table}}}));
  }
  return success();
}

result<> drop_shard_helpers(onboard_node const& shard, std::vector<table_state> const& tables,
                            onboard_options const& options) {
  for (auto const& table : tables) {
    BOOST_OUTCOME_TRY(auto const leaves, table_leaves(*shard.node, table.manifest.table));
    auto const guard =
        write_guard_sql(write_guard::absent, table.manifest.table, table.manifest.group, leaves);
    BOOST_OUTCOME_TRYV(run_ddl(*shard.node,
                               guard + leaf_truncate_sql(leaves, false) + drop_shard_table_sql(table),
                               names::quoted_table(table.manifest.table), options));
  }
  return success();
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
