#include "lib/migrate/preflight/object_carried.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

bool is_carried_by_onboarding(reached_object const& object, std::set<std::string> const& carried_schemas) {
  if (object.schema.empty() || !object.extension.empty() || object.catalog == "pg_class") return false;
  return carried_schemas.count(object.schema) > 0;
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
