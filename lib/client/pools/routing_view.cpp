#include "lib/client/pools/routing_view.hpp"

#include "shardway/manifest/routes.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// A manifest's conninfo names no user: services connect as the application role. One given in the conninfo
// comes later and wins.
void connect_as(std::string const& role, node_definition& node) {
  if (!role.empty()) node.conninfo = "user='" + role + "' " + node.conninfo;
  for (auto& replica : node.replicas) connect_as(role, replica);
}

}  // namespace

result<std::shared_ptr<routing_view const>> make_view(generation current) {
  auto& migration = current.migration;
  connect_as(migration.application_role, migration.source);
  for (auto& shard : migration.shards) connect_as(migration.application_role, shard);
  BOOST_OUTCOME_TRY(auto routes, routes_of(current));
  auto view = std::make_shared<routing_view>();
  view->current = std::move(current);
  view->routes = std::move(routes);
  for (auto const& table : view->routes->data().tables)
    view->tables.push_back(view->current.find_table(table.table));
  return std::shared_ptr<routing_view const>{std::move(view)};
}

}  // namespace v0
}  // namespace shardway
