#include "lib/migrate/preflight/object_shard_rules.hpp"

#include <map>

#include <absl/strings/match.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/preflight/object_carried.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using absl::StrCat;

bool is_builtin(std::string const& schema) {
  return schema == "pg_catalog" || schema == "information_schema";
}

bool needs(source_objects const& source, std::string_view extension) {
  return std::any_of(source.reached.begin(), source.reached.end(), [&](reached_object const& one) {
    return one.extension == extension ||
           (one.catalog == "pg_extension" && one.identity == names::quoted(extension)) ||
           (one.catalog == "pg_extension" && one.identity == extension);
  });
}

bool offers(node_objects const& node, std::string const& extension, std::string const& version) {
  auto const found = node.available_versions.find(extension);
  return found != node.available_versions.end() && found->second.count(version) > 0;
}

std::string create_extension(extension_object const& extension) {
  return StrCat("CREATE EXTENSION ", names::quoted(extension.name), " SCHEMA ",
                names::quoted(extension.schema), " VERSION ", names::literal(extension.version));
}

void judge_missing_extension(extension_object const& wanted, bool needed, shard_objects const& shard,
                             object_findings& out) {
  std::string const why = needed ? "the tables need it, and the shard does not have it"
                                 : "the tables do not need it, but statements may, and the shard lacks it";
  std::string const schema = shard.schemas.count(wanted.schema) > 0
                                 ? std::string{}
                                 : StrCat("CREATE SCHEMA ", names::quoted(wanted.schema), "; ");
  out.add("extension", needed ? finding_level::fail : finding_level::warn, wanted.name,
          offers(shard, wanted.name, wanted.version)
              ? why
              : StrCat(why, "; its server does not offer version ", wanted.version),
          fix::sql(schema + create_extension(wanted)));
}

std::string fix_version(source_objects const& source, shard_objects const& shard,
                        extension_object const& wanted, extension_object const& there,
                        object_findings const& out) {
  if (offers(shard, wanted.name, wanted.version))
    return fix::sql(StrCat("DROP EXTENSION ", names::quoted(wanted.name), "; ", create_extension(wanted)));
  if (offers(source, wanted.name, there.version))
    return fix::source_sql(
        StrCat("ALTER EXTENSION ", names::quoted(wanted.name), " UPDATE TO ", names::literal(there.version)));
  return out.accepting("extension", wanted.name);
}

void judge_extension(source_objects const& source, shard_objects const& shard, extension_object const& wanted,
                     object_findings& out) {
  bool const needed = needs(source, wanted.name);
  auto const found = shard.extensions.find(wanted.name);
  if (found == shard.extensions.end()) return judge_missing_extension(wanted, needed, shard, out);
  auto const& there = found->second;
  auto const level = needed ? finding_level::fail : finding_level::warn;
  if (there.schema != wanted.schema)
    return out.add("extension", level, wanted.name,
                   StrCat("it is in schema ", there.schema, " here and in ", wanted.schema,
                          " on the source: definitions and statements would not find it"),
                   fix::sql(StrCat("ALTER EXTENSION ", names::quoted(wanted.name), " SET SCHEMA ",
                                   names::quoted(wanted.schema))));
  if (there.version != wanted.version)
    return out.add("extension", level, wanted.name,
                   StrCat("its version is ", there.version, " here and ", wanted.version, " on the source"),
                   fix_version(source, shard, wanted, there, out));
  out.pass("extension", wanted.name, "the same version and schema as on the source");
}

std::string id_of_missing(std::string const& catalog) {
  static std::map<std::string, std::string> const ids{{"pg_proc", "function_missing"},
                                                      {"pg_type", "type_missing"},
                                                      {"pg_class", "relation_missing"},
                                                      {"pg_collation", "collation_missing"},
                                                      {"pg_operator", "object_missing"},
                                                      {"pg_opclass", "object_missing"},
                                                      {"pg_opfamily", "object_missing"},
                                                      {"pg_language", "object_missing"},
                                                      {"pg_am", "object_missing"},
                                                      {"pg_ts_config", "object_missing"},
                                                      {"pg_ts_dict", "object_missing"},
                                                      {"pg_ts_parser", "object_missing"},
                                                      {"pg_ts_template", "object_missing"},
                                                      {"pg_conversion", "object_missing"},
                                                      {"pg_foreign_server", "object_missing"},
                                                      {"pg_foreign_data_wrapper", "object_missing"}};
  auto const found = ids.find(catalog);
  return found == ids.end() ? std::string("unknown_object") : found->second;
}

std::string fix_missing(reached_object const& object, object_findings const& out) {
  if (object.catalog == "pg_proc")
    return fix::any_of({fix::source_sql(StrCat("SELECT pg_get_functiondef(", names::literal(object.identity),
                                               "::regprocedure)")),
                        "run on each shard what it prints"});
  if (object.catalog == "pg_class")
    return fix::any_of(
        {out.accepting("relation_missing", object.identity), "or write a manifest for that table too"});
  if (object.catalog == "pg_type")
    return StrCat("move it to a schema of the tables by ALTER TYPE ", object.identity,
                  " SET SCHEMA on the source, or create the type on each shard");
  if (object.catalog == "pg_collation")
    return StrCat("on each shard, with the source's locale: CREATE COLLATION ", object.identity,
                  " (LOCALE = '...')");
  return out.accepting(id_of_missing(object.catalog), object.identity);
}

std::string uses_of(reached_object const& object) {
  auto uses = object.uses;
  uses.erase("routine");
  if (uses.size() > 1) uses.erase("schema");
  return uses.empty() ? "a function that no table uses" : absl::StrJoin(uses, ", ");
}

void judge_missing(reached_object const& object, object_findings& out) {
  auto const id = id_of_missing(object.catalog);
  bool const unknown = id == "unknown_object";
  out.add(id, object.is_optional() ? finding_level::warn : finding_level::fail, object.identity,
          unknown
              ? StrCat(object.user, " needs this ", object.kind, ", a kind that is not known to be carried")
              : StrCat(object.user, " needs this ", object.kind, " (", uses_of(object),
                       "); onboarding does not bring it, and the shard does not have it"),
          unknown ? out.accepting(id, object.identity) : fix_missing(object, out));
}

void judge_definition(reached_object const& object, source_objects const& source, shard_objects const& shard,
                      object_findings& out) {
  if (is_builtin(object.schema)) return;  // the server's own: each version has its way
  auto const key = StrCat(object.kind, " ", object.identity);
  auto const here = shard.definitions.find(key);
  auto const there = source.definitions.find(key);
  if (here == shard.definitions.end() || there == source.definitions.end() || here->second == there->second)
    return;
  out.add("object_differs", object.is_optional() ? finding_level::warn : finding_level::fail, object.identity,
          StrCat("the shard has a ", object.kind,
                 " of this name that is defined in another way; onboarding would "
                 "leave it so"),
          fix::sql(StrCat("DROP ", object.catalog == "pg_proc" ? "ROUTINE " : "TYPE ", object.identity)));
}

bool is_in_role(std::set<std::string> const& roles, std::string const& role) { return roles.count(role) > 0; }

void judge_owner(object_manifests const& manifests, shard_objects const& shard, owner_object const& owner,
                 object_findings& out) {
  if (!is_in_role(shard.roles, owner.role))
    return out.fail("owner_on_shard", owner.role,
                    StrCat("owns ", owner.example, " on the source and does not exist here"),
                    fix::sql(StrCat("CREATE ROLE ", names::quoted(owner.role))));
  if (!is_in_role(shard.engine_memberships, owner.role))
    out.fail("owner_on_shard", owner.role,
             StrCat("owns ", owner.example, " on the source, and the engine's role is no member of it"),
             fix::sql(StrCat("GRANT ", names::quoted(owner.role), " TO ",
                             names::quoted(manifests.migration.engine_role))));
}

bool may_create(shard_objects const& shard, std::string const& schema, std::string const& role) {
  auto const found = shard.schema_creators.find(schema);
  return found != shard.schema_creators.end() && found->second.count(role) > 0;
}

// A new owner of a table must be allowed to create in its schema, unless a superuser gives it.
void judge_schema_rights(object_manifests const& manifests, source_objects const& source,
                         shard_objects const& shard, object_findings& out) {
  if (shard.is_engine_superuser) return;
  std::set<std::pair<std::string, std::string>> wanted;
  for (auto const& table : source.tables) {
    bool const exists = shard.schemas.count(table.schema) > 0;
    if (exists ? !may_create(shard, table.schema, table.owner) : !table.owner_owns_schema)
      wanted.insert({table.schema, table.owner});
  }
  for (auto const& schema : source.carried_schemas)
    if (shard.schemas.count(schema) > 0 && !may_create(shard, schema, manifests.migration.engine_role))
      wanted.insert({schema, manifests.migration.engine_role});
  for (auto const& [schema, role] : wanted) {
    auto const found = source.schemas.find(schema);
    std::string const create = shard.schemas.count(schema) > 0 || found == source.schemas.end()
                                   ? std::string{}
                                   : StrCat("CREATE SCHEMA ", names::quoted(schema), " AUTHORIZATION ",
                                            names::quoted(found->second), "; ");
    out.fail(
        "schema_rights", StrCat(schema, ": ", role),
        StrCat("role ", role, " may not create in schema ", schema, " here: its tables could not be made"),
        fix::sql(StrCat(create, "GRANT USAGE, CREATE ON SCHEMA ", names::quoted(schema), " TO ",
                        names::quoted(role))));
  }
}

void judge_storage(source_objects const& source, shard_objects const& shard, object_findings& out) {
  std::map<std::string, std::string> placed;
  for (auto const& table : source.tables)
    if (!table.tablespace.empty()) placed.emplace(table.tablespace, table.quoted);
  for (auto const& [tablespace, table] : placed)
    out.warn(
        "tablespace", tablespace, StrCat(table, " is in this tablespace; on a shard it is in the database's"),
        fix::any_of({fix::sql(StrCat("ALTER TABLE ", table, " SET TABLESPACE ", names::quoted(tablespace))),
                     "once the table is there, and if the shard has one of the name"}));
  if (shard.compressions.count("lz4") == 0)
    for (auto const& column : source.compressed_columns)
      out.fail("column_compression", StrCat(column.table, ".", column.name),
               "it is compressed by lz4, which the shard's server does not know",
               fix::source_sql(StrCat("ALTER TABLE ", column.quoted, " ALTER COLUMN ",
                                      names::quoted(column.name), " SET COMPRESSION pglz")));
}

void judge_versions(source_objects const& source, shard_objects const& shard, object_findings& out) {
  int const here = shard.server_version / 10000, there = source.server_version / 10000;
  if (here < there)
    out.warn(
        "version_order", StrCat("PostgreSQL ", here),
        StrCat("the source is ", there, ": definitions and values may use what this shard does not know"),
        out.accepting("version_order", StrCat("PostgreSQL ", here)));
}

void judge_view(table_object const& view, shard_objects const& shard, object_findings& out) {
  if (shard.definitions.count(StrCat(view.detail, " ", view.quoted)) > 0) return;
  out.warn("view_missing", view.table,
           StrCat("this ", view.detail, " reads onboarded tables, and shards do not get it"),
           fix::any_of(
               {fix::source_sql(StrCat("SELECT pg_get_viewdef(", names::literal(view.quoted), "::regclass)")),
                "create it on each shard before statements that use it go there"}));
}

void judge_cast(cast_object const& cast, source_objects const& source, shard_objects const& shard,
                object_findings& out) {
  if (shard.casts.count(cast.identity) > 0) return;
  bool builtin = true, reached = true;
  for (auto const& schema : cast.schemas) {
    builtin = builtin && is_builtin(schema);
    reached = reached && (is_builtin(schema) || source.carried_schemas.count(schema) > 0);
  }
  if (!reached) return;
  out.add(
      "cast_missing", builtin ? finding_level::fail : finding_level::warn, cast.identity,
      "this cast is not brought to shards: statements that use it would fail or mean something else there",
      fix::sql(cast.sql));
}

// Rights of a role that the shard has come along.
void judge_grants(source_objects const& source, shard_objects const& shard, object_findings& out) {
  for (auto const& grant : source.grants)
    if (!is_in_role(shard.roles, grant.role))
      out.warn("other_grants", StrCat(grant.role, ": ", grant.privileges),
               StrCat("the shard has no role ", grant.role, ": its rights on ", grant.things,
                      " are not brought along"),
               fix::any_of({fix::sql(StrCat("CREATE ROLE ", names::quoted(grant.role))),
                            StrCat("and once the tables are there: GRANT ", grant.privileges, " ON ",
                                   grant.things, " TO ", names::quoted(grant.role))}));
}

}  // namespace

void judge_reached(source_objects const& source, shard_objects const& shard, object_findings& out) {
  for (auto const& [name, extension] : source.extensions) judge_extension(source, shard, extension, out);
  for (auto const& one : source.reached) {
    if (one.catalog == "pg_extension" || !one.extension.empty()) continue;
    bool const unknown = id_of_missing(one.catalog) == "unknown_object";
    bool const there = shard.definitions.count(StrCat(one.kind, " ", one.identity)) > 0;
    if (unknown || (!there && !is_carried_by_onboarding(one, source.carried_schemas)))
      judge_missing(one, out);
    else
      judge_definition(one, source, shard, out);
  }
}

void judge_places(object_manifests const& manifests, source_objects const& source, shard_objects const& shard,
                  object_findings& out) {
  for (auto const& owner : source.owners) judge_owner(manifests, shard, owner, out);
  judge_schema_rights(manifests, source, shard, out);
  judge_storage(source, shard, out);
  judge_versions(source, shard, out);
  for (auto const& one : shard.subscriptions)
    out.fail("inbound_subscription", StrCat(one.name, " into ", one.table),
             "a subscription writes the table: its rows come past the library and its fence",
             fix::sql(StrCat("DROP SUBSCRIPTION ", names::quoted(one.name))));
  for (auto const& one : shard.event_triggers)
    out.warn("event_trigger", one, "it runs for what onboarding makes here, and may refuse it",
             fix::sql(StrCat("ALTER EVENT TRIGGER ", names::quoted(one), " DISABLE")));
}

void judge_statements(source_objects const& source, shard_objects const& shard, object_findings& out) {
  for (auto const& view : source.views) judge_view(view, shard, out);
  for (auto const& [identity, cast] : source.casts) judge_cast(cast, source, shard, out);
  judge_grants(source, shard, out);
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
