#include "lib/migrate/preflight/object_carried.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

// pg_dump of the schemas of the tables, of their partitions and of the types of their columns.
bool is_schema_carried(reached_schema const& schema) { return schema.has_tables || schema.has_column_types; }

bool is_carried_by_onboarding(reached_object const& object, std::set<std::string> const& carried_schemas) {
  if (object.schema.empty() || !object.extension.empty() || object.catalog == "pg_class") return false;
  return carried_schemas.count(object.schema) > 0;
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
