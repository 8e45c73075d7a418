// Manifests become a generation.
#include <algorithm>
#include <optional>

#include "lib/migrate/controller/admission.hpp"
#include "lib/migrate/controller/parts.hpp"
#include "lib/migrate/nodes/json_text.hpp"
#include "lib/migrate/onboard/capture.hpp"
#include "lib/migrate/onboard/inspect.hpp"
#include "shardway/catalog/audit.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/catalog/install.hpp"
#include "shardway/catalog/status.hpp"
#include "shardway/manifest/codec.hpp"
#include "shardway/manifest/plan.hpp"
#include "shardway/manifest/validate.hpp"
#include "shardway/route/shard_key.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::control;
namespace {

group_state new_group(std::string const& name) {
  return {.name = name,
          .stage = stage::observing,
          .authority = {{.slots = all_slots, .shard = std::nullopt, .epoch = epoch{1}, .opened = {}}}};
}

void put_table(generation& next, table_state const& table) {
  for (auto& held : next.tables)
    if (held.manifest.table == table.manifest.table) {
      held = table;
      return;
    }
  next.tables.push_back(table);
}

}  // namespace

namespace {

/// Refuses what may not change any more; adds a line for each change.
result<> check_changes(std::vector<manifest_change> const& changes, std::vector<std::string>& lines) {
  std::string forbidden;
  for (auto const& change : changes) {
    if (change.kind == change_kind::forbidden)
      forbidden += (forbidden.empty() ? "" : "; ") + describe(change);
    lines.push_back(describe(change));
  }
  if (forbidden.empty()) return success();
  return error(error_code::manifest_invalid,
               "the manifests change what may not change any more: " + forbidden,
               "take the change back, or roll the group back to observing");
}

bool has_begun(generation const& now) {
  return std::any_of(now.groups.begin(), now.groups.end(),
                     [](group_state const& group) { return group.stage != stage::observing; });
}

/// The types of a table's shard key; nothing where a column is not found or of no such type (the inspection
/// has said so).
std::optional<std::vector<key_type>> key_types_of(table_state const& table) {
  std::vector<key_type> types;
  for (auto const& name : table.manifest.shard_key) {
    auto const column = std::find_if(table.columns.begin(), table.columns.end(),
                                     [&](column_state const& one) { return one.name == name; });
    auto const type =
        column == table.columns.end() ? result<key_column>{error{}} : key_column_of(column->key_type());
    if (!type) return std::nullopt;
    types.push_back(type_of(type.value()));
  }
  return types;
}

/// A pin of another type than the shard keys have would place another slot than its key's.
result<> check_pin_types(migration_manifest const& migration, std::vector<table_state> const& tables) {
  std::vector<std::vector<key_type>> known;
  for (auto const& table : tables)
    if (auto types = table.manifest.kind == table_kind::sharded ? key_types_of(table) : std::nullopt)
      known.push_back(std::move(*types));
  for (auto const& pin : migration.pins) {
    std::vector<key_type> types;
    for (auto const& name : pin.types) {
      BOOST_OUTCOME_TRY(auto const column, key_column_of(name));
      types.push_back(type_of(column));
    }
    if (known.empty() || std::find(known.begin(), known.end(), types) != known.end()) continue;
    return error(
        error_code::manifest_invalid,
        "a pin on \"" + pin.shard + "\" has types that no table's shard key has: it would place another slot",
        "write the types of the shard key's columns");
  }
  return success();
}

}  // namespace

result<generation> generation_with(generation const& now, migration_manifest const& migration,
                                   std::vector<table_state> const& tables,
                                   std::vector<std::string>& changes) {
  std::vector<table_manifest> wanted;
  for (auto const& table : tables) wanted.push_back(table.manifest);
  auto all = diff(now, migration);
  auto of_tables = diff(now, wanted);
  all.insert(all.end(), of_tables.begin(), of_tables.end());
  BOOST_OUTCOME_TRYV(check_changes(all, changes));
  BOOST_OUTCOME_TRYV(check_pin_types(migration, tables));
  generation next = now;
  next.migration = migration;
  // Placement follows pins and shards until the first row is copied by it.
  if (next.placement.empty() || !has_begun(now)) {
    BOOST_OUTCOME_TRY(next.placement, first_placement(migration));
  }
  for (auto const& table : tables) {
    put_table(next, table);
    if (!next.find_group(table.manifest.group)) next.groups.push_back(new_group(table.manifest.group));
  }
  // A table that no manifest names any more leaves, and with the last one its group (`diff` has refused it
  // past observing).
  std::erase_if(next.tables, [&](table_state const& held) {
    return std::none_of(tables.begin(), tables.end(), [&](table_state const& table) {
      return table.manifest.table == held.manifest.table;
    });
  });
  std::erase_if(next.groups, [&](group_state const& held) {
    return std::none_of(next.tables.begin(), next.tables.end(),
                        [&](table_state const& table) { return table.manifest.group == held.name; });
  });
  return next;
}

namespace {

result<std::vector<table_state>> inspect_all(session& source, std::vector<table_manifest> const& manifests) {
  std::vector<table_state> tables;
  for (auto const& manifest : manifests) {
    BOOST_OUTCOME_TRY(auto table, onboard::inspect_table(source, manifest));
    tables.push_back(std::move(table));
  }
  return tables;
}

result<> record_manifests(session& source, std::vector<table_manifest> const& manifests) {
  for (auto const& manifest : manifests) {
    BOOST_OUTCOME_TRYV(put_manifest(source, manifest.table, print(manifest)));
  }
  return success();
}

std::vector<install_node> install_nodes(node_connections& nodes) {
  std::vector<install_node> wanted;
  for (auto const& node : nodes.all_nodes())
    wanted.push_back({node.node, wanted.empty() ? node_role::source : node_role::shard, node.name});
  return wanted;
}

std::string changes_json(std::vector<std::string> const& changes) {
  return nodes::json_array(changes, [](std::string const& change) { return nodes::json_string(change); });
}

}  // namespace

result<apply_report> apply_manifests(controller_options const& options,
                                     std::vector<table_manifest> const& manifests) {
  node_connections nodes(options);
  BOOST_OUTCOME_TRYV(nodes.refresh());
  BOOST_OUTCOME_TRY(auto const tables, inspect_all(nodes.source(), manifests));
  BOOST_OUTCOME_TRYV(check_admission(options, nodes, manifests));
  BOOST_OUTCOME_TRYV(install(install_nodes(nodes), options.migration));
  auto const sessions = nodes.sessions();
  auto all = sessions.shards;
  all.insert(all.begin(), sessions.source);
  BOOST_OUTCOME_TRY(auto const lease, lease_keeper::take(options, nodes.source(), all));
  BOOST_OUTCOME_TRY(auto newest, read_newest_generation(nodes.source()));
  auto const known = newest ? std::move(*newest) : generation{};
  apply_report report;
  BOOST_OUTCOME_TRY(auto next, generation_with(known, options.migration, tables, report.changes));
  report.generation = known.number;
  if (next == known) return report;
  BOOST_OUTCOME_TRYV(
      prepare_known_lookups(nodes, next, options.migration.application_role, {.token = lease->token()}));
  BOOST_OUTCOME_TRY(next.number, next_generation_number(nodes.source(), sessions.shards));
  BOOST_OUTCOME_TRYV(onboard::change_captures(nodes.all_nodes(), known, next,
                                              onboard::capture_change::before_publication,
                                              {.token = lease->token()}));
  BOOST_OUTCOME_TRYV(publish_generation(nodes.source(), sessions.shards, next, lease->token()));
  BOOST_OUTCOME_TRYV(onboard::change_captures(
      nodes.all_nodes(), known, next, onboard::capture_change::after_publication, {.token = lease->token()}));
  BOOST_OUTCOME_TRYV(record_manifests(nodes.source(), manifests));
  BOOST_OUTCOME_TRYV(append_audit(nodes.source(), options.holder, "manifest_applied",
                                  "{\"changes\": " + changes_json(report.changes) + "}"));
  report.generation = next.number;
  return report;
}

namespace {

/// The request's migration manifest; the one in force where the request has none.
result<migration_manifest> migration_in(session& catalog, request const& asked,
                                        migration_manifest const& in_force,
                                        std::vector<manifest_finding>& findings) {
  BOOST_OUTCOME_TRY(auto const document, catalog.query({.sql = "SELECT $1::jsonb ->> 'migration'",
                                                        .parameters = {asked.arguments}}));
  if (!document.at(0, 0)) return in_force;
  auto file = parse_migration_manifest(document.text(0, 0), "migration");
  findings.insert(findings.end(), file.findings.begin(), file.findings.end());
  return std::move(file.manifest);
}

}  // namespace

result<std::string> controller::parts::serve_apply(request const& asked) {
  BOOST_OUTCOME_TRY(auto const documents,
                    nodes.source().query({.sql = "SELECT jsonb_array_elements_text($1::jsonb -> 'documents')",
                                          .parameters = {asked.arguments}}));
  std::vector<table_manifest> manifests;
  std::vector<manifest_finding> findings;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    auto file = parse_table_manifest(documents.text(i, 0), "document " + std::to_string(i + 1));
    findings.insert(findings.end(), file.findings.begin(), file.findings.end());
    manifests.push_back(std::move(file.manifest));
  }
  BOOST_OUTCOME_TRY(auto const wanted, migration_in(nodes.source(), asked, now->migration, findings));
  if (!findings.empty()) return error_of(findings);
  BOOST_OUTCOME_TRY(auto const tables, inspect_all(nodes.source(), manifests));
  std::vector<std::string> changes;
  BOOST_OUTCOME_TRY(auto next, generation_with(*now, wanted, tables, changes));
  if (next != *now) {
    BOOST_OUTCOME_TRYV(prepare_known_lookups(nodes, next, options.migration.application_role, onboarding()));
    auto const before = now;
    BOOST_OUTCOME_TRYV(onboard::change_captures(nodes.all_nodes(), *before, next,
                                                onboard::capture_change::before_publication, onboarding()));
    BOOST_OUTCOME_TRYV(publish(std::move(next)));
    BOOST_OUTCOME_TRYV(onboard::change_captures(nodes.all_nodes(), *before, *now,
                                                onboard::capture_change::after_publication, onboarding()));
    BOOST_OUTCOME_TRYV(record_manifests(nodes.source(), manifests));
  }
  return nodes::json_object()
      .raw("changes", changes_json(changes))
      .number("generation", static_cast<std::int64_t>(now->number))
      .str();
}

}  // namespace v0
}  // namespace shardway
