#include "lib/protocol/grantees.hpp"

#include "lib/protocol/column_lists.hpp"

namespace shardway {
inline namespace v0 {

grantees::grantees(migration_manifest const& migration) : names_(application_roles(migration)) {}

std::string grantees::sql() const { return column_list(names_, ""); }

std::vector<std::string> application_roles(migration_manifest const& migration) {
  std::vector<std::string> roles{migration.application_role};
  roles.insert(roles.end(), migration.other_application_roles.begin(),
               migration.other_application_roles.end());
  return roles;
}

}  // namespace v0
}  // namespace shardway
