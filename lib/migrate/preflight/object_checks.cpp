#include "lib/migrate/preflight/object_checks.hpp"

#include <array>
#include <set>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "lib/migrate/preflight/accepted.hpp"
#include "lib/migrate/preflight/fix.hpp"
#include "lib/migrate/preflight/object_routine_rules.hpp"
#include "lib/migrate/preflight/object_setting_rules.hpp"
#include "lib/migrate/preflight/object_shard_rules.hpp"
#include "lib/migrate/preflight/object_table_rules.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

constexpr std::array rules{
    object_rule{"row_security", true, false, "no table has policies"},
    object_rule{"rule", true, false, "no rule rewrites statements of the tables"},
    object_rule{"foreign_table", true, false, "every partition is a table of this server"},
    object_rule{"table_access_method", true, false, "every table is a heap"},
    object_rule{"extension_table", true, false, "no table belongs to an extension"},
    object_rule{"name_with_dot", true, false, "names can be written in a manifest"},
    object_rule{"security_label", true, false, "none"},
    object_rule{"statistics", true, false, "no extended statistics"},
    object_rule{"text_search_file", true, false, "no dictionary reads files"},
    object_rule{"node_local_type", true, false, "values of all columns mean the same on every node"},
    object_rule{"node_local_value", true, false, "no default and no trigger gives values of one node"},
    object_rule{"large_object", true, false, "none"},
    object_rule{"trigger_replica", true, false, "no trigger runs for replicated rows"},
    object_rule{"trigger_state", true, false, "triggers of partitions are as those of their tables"},
    object_rule{"trigger_relation", true, false, "triggers name onboarded tables only"},
    object_rule{"trigger_unknown", true, false, "the text of every trigger can be read"},
    object_rule{"trigger_changes_key", true, false, "no trigger changes a key"},
    object_rule{"trigger_notify", true, false, "no trigger notifies"},
    object_rule{"constraint_trigger", true, false, "none is FROM a table that is not onboarded"},
    object_rule{"function_relation", true, false, "functions that tables use name onboarded tables only"},
    object_rule{"function_search_path", true, false, "no function depends on search_path"},
    object_rule{"function_unknown", true, false, "the text of each function that tables use can be read"},
    object_rule{"c_function", true, false, "none without an extension"},
    object_rule{"other_grants", false, true, "every role with rights is there"},
    object_rule{"default_privileges", true, false, "none"},
    object_rule{"event_trigger", true, true, "none"},
    object_rule{"inbound_subscription", true, true, "no subscription writes the tables"},
    object_rule{"unknown_object", true, true, "every object that depends on the tables is of a known kind"},
    object_rule{"setting", true, true, "settings of database and roles fit"},
    object_rule{"extension", false, true, "the source has none"},
    object_rule{"function_missing", false, true,
                "every function that the tables need is there or comes along"},
    object_rule{"type_missing", false, true, "every type is there or comes along"},
    object_rule{"relation_missing", false, true, "no definition needs a table that is not onboarded"},
    object_rule{"collation_missing", false, true, "every collation is there or comes along"},
    object_rule{"object_missing", false, true, "every other object is there or comes along"},
    object_rule{"object_differs", false, true, "what is there already is defined as on the source"},
    object_rule{"owner_on_shard", false, true, "every owner is there"},
    object_rule{"schema_rights", false, true, "owners may create in the tables' schemas"},
    object_rule{"tablespace", false, true, "no table is in one of its own"},
    object_rule{"column_compression", false, true, "every compression is known"},
    object_rule{"version_order", false, true, "not older than the source"},
    object_rule{"view_missing", false, true, "no view of the tables is missing"},
    object_rule{"cast_missing", false, true, "no cast is missing"},
    object_rule{"collation", false, true, "text has the same order as on the source"},
};

void add_passes(object_findings& out, bool object_rule::* where) {
  for (auto const& rule : rules)
    if (rule.*where && !out.has(rule.id)) out.pass(rule.id, "", std::string(rule.passed));
}

void append(context const& checked, std::vector<finding> list) {
  for (auto& one : list) checked.out.push_back(std::move(one));
}

void could_not_read(context const& checked, error const& why) {
  std::set<std::string> schemas;
  for (auto const& table : checked.tables)
    schemas.insert(names::quoted(table.table.substr(0, table.table.find('.'))));
  checked.fail("objects", std::string(unknown_subject),
               "the objects that the tables need could not be read: " + why.to_string(),
               schemas.empty()
                   ? "let the engine's role read the catalog"
                   : fix::sql(absl::StrCat("GRANT USAGE ON SCHEMA ", absl::StrJoin(schemas, ", "), " TO ",
                                           names::quoted(checked.migration.engine_role))));
}

}  // namespace

std::span<object_rule const> object_rules() { return rules; }

std::vector<finding> judge_source(migration_manifest const& migration,
                                  std::vector<table_manifest> const& tables, source_objects const& source) {
  object_manifests const manifests{migration, tables};
  object_findings out(source.node);
  judge_tables(manifests, source, out);
  judge_triggers(manifests, source, out);
  judge_columns(source, out);
  judge_routines(source, out);
  judge_own_settings(manifests, source, out);
  add_passes(out, &object_rule::on_source);
  return std::move(out).take();
}

std::vector<finding> judge_shard(migration_manifest const& migration,
                                 std::vector<table_manifest> const& tables, source_objects const& source,
                                 shard_objects const& shard) {
  object_manifests const manifests{migration, tables};
  object_findings out(shard.node);
  judge_reached(source, shard, out);
  judge_places(manifests, source, shard, out);
  judge_statements(source, shard, out);
  judge_own_settings(manifests, shard, out);
  judge_settings(manifests, source, shard, out);
  judge_collations(source, shard, out);
  add_passes(out, &object_rule::on_shards);
  return std::move(out).take();
}

std::optional<source_objects> check_objects(context const& source, std::vector<table_manifest> const& all) {
  auto found = read_source_objects(*source.node, source.migration, source.tables, all);
  if (!found) {
    could_not_read(source, found.error());
    return std::nullopt;
  }
  append(source, judge_source(source.migration, source.tables, found.value()));
  return std::move(found).value();
}

void check_objects_on_shard(context const& shard, source_objects const& source) {
  auto const found = read_shard_objects(*shard.node, shard.migration, shard.tables, source);
  if (!found) return could_not_read(shard, found.error());
  append(shard, judge_shard(shard.migration, shard.tables, source, found.value()));
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
