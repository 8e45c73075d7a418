#include "lib/migrate/onboard/sql.hpp"
#include "lib/migrate/preflight/checks.hpp"
#include "lib/migrate/preflight/fix.hpp"
#include "lib/protocol/grantees.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using names::literal;
using names::quoted;

std::string const roles_fix = "run the SQL that the roles command prints for this node";

bool role_exists(context const& checked, std::string const& role, std::string const& what) {
  auto const found = ask(checked, "role_exists", {"SELECT 1 FROM pg_roles WHERE rolname = $1", {role}});
  if (!found.empty()) {
    checked.pass("role_exists", role, "the " + what + "'s role exists");
    return true;
  }
  checked.fail("role_exists", role, "the " + what + "'s role does not exist on this node", roles_fix);
  return false;
}

std::string table_names(context const& checked) {
  std::vector<std::string> out;
  for (auto const& table : checked.tables) out.push_back(names::quoted_table(table.table));
  return text_array(out);
}

void check_engine(context const& checked) {
  auto const& role = checked.migration.engine_role;
  auto const found =
      ask(checked, "engine_rights",
          {"SELECT r.rolreplication OR r.rolsuper, has_database_privilege(r.oid, current_database(),"
           " 'CREATE'),"
           " pg_has_role(r.oid, 'pg_read_all_stats', 'MEMBER'), current_database() FROM pg_roles r"
           " WHERE rolname = $1",
           {role}});
  if (found.empty()) return;
  struct right {
    std::string what, fix;
  };
  right const rights[]{{"REPLICATION", "ALTER ROLE " + quoted(role) + " REPLICATION"},
                       {"CREATE on the database",
                        "GRANT CREATE ON DATABASE " + quoted(found.text(0, 3)) + " TO " + quoted(role)},
                       {"membership in pg_read_all_stats", "GRANT pg_read_all_stats TO " + quoted(role)}};
  for (std::size_t i = 0; i < 3; ++i) {
    if (found.boolean(0, i))
      checked.pass("engine_rights", role, "has " + rights[i].what);
    else
      checked.fail("engine_rights", role, "lacks " + rights[i].what, fix::sql(rights[i].fix));
  }
}

void check_ownership(context const& checked, std::string const& role) {
  auto const found =
      ask(checked, "owner_membership",
          {"SELECT DISTINCT pg_get_userbyid(c.relowner), pg_has_role($2::name, c.relowner, 'MEMBER')"
           " FROM unnest($1::text[]) n (name)"
           " JOIN pg_class c ON c.oid = to_regclass(n.name) ORDER BY 1",
           {table_names(checked), role}});
  for (std::size_t row = 0; row < found.size(); ++row) {
    std::string const owner(found.text(row, 0));
    if (found.boolean(row, 1))
      checked.pass("owner_membership", role, "is a member of " + owner);
    else
      checked.fail("owner_membership", role, "is no member of " + owner + ", which owns onboarded tables",
                   fix::sql("GRANT " + quoted(owner) + " TO " + quoted(role)));
  }
}

// F3: names the tables that make the right necessary.
std::string tables_with_triggers(context const& checked) {
  auto const found =
      ask(checked, "replication_role",
          {"SELECT DISTINCT format('%s.%s', s.nspname, c.relname) FROM unnest($1::text[]) n (name)"
           " JOIN pg_class c ON c.oid = to_regclass(n.name)"
           " JOIN pg_namespace s ON s.oid = c.relnamespace JOIN pg_trigger t ON t.tgrelid = c.oid"
           " WHERE t.tgname NOT LIKE 'shardway\\_%' ORDER BY 1",
           {table_names(checked)}});
  return found.empty() ? "no onboarded table has triggers or foreign keys now"
                       : "tables whose triggers and foreign keys make it necessary:"
                         " " +
                             onboard::joined(onboard::column_of(found, 0));
}

void check_replication_role(context const& checked, std::string const& role) {
  bool const by_grant = checked.server_version() >= 150000;
  auto const found =
      ask(checked, "replication_role",
          {by_grant ? "SELECT has_parameter_privilege($1::name, 'session_replication_role', 'SET')"
                    : "SELECT rolsuper FROM pg_roles WHERE rolname = $1",
           {role}});
  if (found.empty()) return;
  if (found.boolean(0, 0)) return checked.pass("replication_role", role, "may set session_replication_role");
  auto const what =
      "may not set session_replication_role: triggers would run twice; " + tables_with_triggers(checked);
  checked.fail("replication_role", role, what,
               by_grant ? fix::sql("GRANT SET ON PARAMETER session_replication_role TO " + quoted(role))
                        : fix::any_of({fix::sql("ALTER ROLE " + quoted(role) + " SUPERUSER"),
                                       "or grant the managed service's administrator role"}));
}

void check_application(context const& checked, std::string const& role) {
  auto const found =
      ask(checked, "application_grants",
          {"SELECT n.name FROM unnest($1::text[]) n (name) WHERE to_regclass(n.name) IS NOT NULL"
           " AND NOT has_table_privilege($2::name, to_regclass(n.name)::oid, 'SELECT') ORDER BY 1",
           {table_names(checked), role}});
  for (std::size_t row = 0; row < found.size(); ++row)
    checked.warn("application_grants", role,
                 "may not read " + std::string(found.text(row, 0)) +
                     ": the library captures what it writes with"
                     " RETURNING, which needs it",
                 fix::sql("GRANT SELECT ON " + std::string(found.text(row, 0)) + " TO " + quoted(role)));
  if (found.empty()) checked.pass("application_grants", role, "may read the onboarded tables");
}

// Owners of the tables must be on the shard before the definitions are applied.
void check_owner_on_shard(context const& shard, std::string const& owner) {
  auto const found = ask(shard, "owner_on_shard",
                         {"SELECT pg_has_role($2::name, oid, 'MEMBER') FROM pg_roles WHERE rolname = $1",
                          {owner, shard.migration.engine_role}});
  if (found.empty())
    return shard.fail("owner_on_shard", owner, "owns onboarded tables on the source and does not exist here",
                      fix::sql("CREATE ROLE " + quoted(owner)));
  if (!found.boolean(0, 0))
    return shard.fail("owner_on_shard", owner, "the engine's role is no member of it",
                      fix::sql("GRANT " + quoted(owner) + " TO " + quoted(shard.migration.engine_role)));
  shard.pass("owner_on_shard", owner, "exists, and the engine's role is a member");
}

}  // namespace

void check_roles(context const& checked) {
  for (auto const& role : application_roles(checked.migration))
    if (role_exists(checked, role, "application") && checked.role == node_role::source)
      check_application(checked, role);
  if (role_exists(checked, checked.migration.engine_role, "engine")) {
    check_engine(checked);
    if (checked.role == node_role::source)
      check_ownership(checked, checked.migration.engine_role);
    else
      check_replication_role(checked, checked.migration.engine_role);
  }
  if (checked.role == node_role::source && role_exists(checked, checked.migration.mirror_role, "mirror"))
    check_replication_role(checked, checked.migration.mirror_role);
}

void check_shard_against(context const& shard, session& source) {
  auto const owners = source.query(
      {"SELECT DISTINCT pg_get_userbyid(c.relowner) FROM unnest($1::text[]) n (name) JOIN pg_class c ON c.oid"
       " = to_regclass(n.name) ORDER BY 1",
       {table_names(shard)}});
  if (!owners)
    return shard.fail("owner_on_shard", "query",
                      "the source could not be asked: " + owners.error().to_string(), roles_fix);
  for (auto const& owner : onboard::column_of(owners.value(), 0)) check_owner_on_shard(shard, owner);
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
