#include "lib/client/pools/routing_view.hpp"

#include <algorithm>

#include "lib/pg/conninfo.hpp"
#include "shardway/manifest/routes.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// A manifest's conninfo names no user: services connect as the application role. One given in the conninfo
// comes later and wins.
void connect_as(std::string const& role, node_definition& node) {
  if (!role.empty()) node.conninfo = "user=" + conninfo_value(role) + ' ' + node.conninfo;
  for (auto& replica : node.replicas) connect_as(role, replica);
}

}  // namespace

result<std::shared_ptr<routing_view const>> make_view(generation current, std::string const& user) {
  auto& migration = current.migration;
  auto const& others = migration.other_application_roles;
  bool const is_other = std::find(others.begin(), others.end(), user) != others.end();
  auto const& role = is_other ? user : migration.application_role;
  connect_as(role, migration.source);
  for (auto& shard : migration.shards) connect_as(role, shard);
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
