// The queries behind object_facts. $1 is always a text[]; which one is said at each.
#pragma once

#include <string>
#include <string_view>

namespace shardway {
inline namespace v0 {
namespace migrate::preflight::object_queries {

// On the source; $1: the tables' quoted names.

/// All that pg_depend reaches from the tables, and then from each schema that the tables reach.
std::string reached();
/// (schema, whether it has tables, whether it has types of columns) of the tables, without extensions' types.
std::string schemas_of_tables();
/// Objects that depend on the tables and are of a kind that is not known here.
std::string unknown();
std::string triggers();
std::string shapes();
std::string columns();
/// (kind, table, quoted, name, detail) of the small lists.
std::string small_lists();
/// $2: roles that are not other roles.
std::string grants();
/// $2: the schemas that come along.
std::string owners();

/// $1: the quoted names of all tables of the manifests. (schema, name, whether it is one of them or a
/// partition.)
std::string relations();

// On the source; no parameter.
extern std::string_view const routines;
extern std::string_view const has_large_objects;

// On every node.
extern std::string_view const extensions;
/// $1: extensions.
extern std::string_view const available_versions;
extern std::string_view const schemas;
extern std::string_view const roles;
/// $1: roles.
extern std::string_view const overrides;
/// $1: settings.
extern std::string_view const server_settings;
extern std::string_view const locale;
/// $1: collations' identities.
extern std::string_view const collations;
/// $1: schemas. (kind, identity, digest) of the objects in them, and of those that are in no schema.
extern std::string_view const definitions;
extern std::string_view const casts;
extern std::string_view const event_triggers;
extern std::string_view const compressions;
/// $1: the tables' quoted names.
std::string subscriptions();

// On a shard.
/// $1: one role.
extern std::string_view const memberships;
/// $1: roles.
extern std::string_view const schema_creators;

}  // namespace migrate::preflight::object_queries
}  // namespace v0
}  // namespace shardway
