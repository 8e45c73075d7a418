#include "shardway/migrate/preflight/roles.hpp"

#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {

namespace {

using names::literal;
using names::quoted;

constexpr int set_parameter_version = 150000;  // since 15 the right to set a single setting can be granted

std::string create_role(std::string const& role, std::string const& attributes) {
  return "DO $shardway$ BEGIN\n  IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = " +
         literal(role) + ") THEN CREATE ROLE " + quoted(role) + " LOGIN; END IF;\nEND $shardway$;\n" +
         (attributes.empty() ? std::string{} : "ALTER ROLE " + quoted(role) + ' ' + attributes + ";\n");
}

std::string grant_owners(std::string const& role, std::vector<std::string> const& owners) {
  std::string sql;
  for (auto const& owner : owners) sql += "GRANT " + quoted(owner) + " TO " + quoted(role) + ";\n";
  return sql;
}

// With session_replication_role, the tables' triggers do not run for rows whose triggers already ran on
// another node.
std::string replication_role_sql(std::string const& role, int server_version) {
  if (server_version >= set_parameter_version)
    return "GRANT SET ON PARAMETER session_replication_role TO " + quoted(role) + ";\n";
  return "-- Before 15 only a superuser may set session_replication_role, which keeps triggers from running "
         "twice.\n"
         "-- On a managed service grant its administrator role instead (rds_superuser, cloudsqlsuperuser "
         "...).\nALTER ROLE " +
         quoted(role) + " SUPERUSER;\n";
}

std::string engine_sql(migration_manifest const& migration, roles_request const& request) {
  auto const& role = migration.engine_role;
  // CREATEDB: a rehearsal makes a scratch database on each shard.
  auto const* attributes =
      request.role == node_role::shard ? "LOGIN REPLICATION CREATEDB" : "LOGIN REPLICATION";
  return "-- The controller.\n" + create_role(role, attributes) + grant_owners(role, request.owners) +
         "GRANT pg_read_all_stats, pg_signal_backend TO " + quoted(role) +
         ";\nGRANT CREATE, CONNECT ON DATABASE " + quoted(request.database) + " TO " + quoted(role) + ";\n" +
         (request.role == node_role::shard ? replication_role_sql(role, request.server_version)
                                           : std::string{});
}

// Since 15, not everyone may create tables in schema public. Owners also create the schemas that pg_dump
// writes.
std::string owners_sql(roles_request const& request) {
  std::string sql;
  for (auto const& owner : request.owners)
    sql += "DO $shardway$ BEGIN\n  IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = " +
           literal(owner) + ") THEN CREATE ROLE " + quoted(owner) +
           " NOLOGIN; END IF;\nEND $shardway$;\nGRANT CREATE ON DATABASE " + quoted(request.database) +
           " TO " + quoted(owner) + ";\nGRANT USAGE, CREATE ON SCHEMA public TO " + quoted(owner) + ";\n";
  return sql;
}

}  // namespace

std::string roles_sql(migration_manifest const& migration, roles_request const& request) {
  std::string sql = "-- Roles of migration " + migration.name +
                    (request.role == node_role::source ? " on the source" : " on a shard") +
                    ". Passwords are not set here.\nSET client_min_messages = warning;\n";
  if (request.role == node_role::shard) sql += "-- Owners of the tables.\n" + owners_sql(request);
  sql += "-- The application: the rights that its tables give it.\n" +
         create_role(migration.application_role, "") + "GRANT CONNECT ON DATABASE " +
         quoted(request.database) + " TO " + quoted(migration.application_role) + ";\n" +
         engine_sql(migration, request);
  if (request.role == node_role::shard) return sql;
  return sql + "-- The mirror: writes the source's copies of rows whose authority is on a shard.\n" +
         create_role(migration.mirror_role, "") + grant_owners(migration.mirror_role, request.owners) +
         "GRANT CONNECT ON DATABASE " + quoted(request.database) + " TO " + quoted(migration.mirror_role) +
         ";\n" + replication_role_sql(migration.mirror_role, request.server_version);
}

}  // namespace v0
}  // namespace shardway
