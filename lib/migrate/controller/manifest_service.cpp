#include "lib/migrate/controller/manifest_service.hpp"

#include <absl/strings/str_cat.h>

#include "lib/catalog/guarded.hpp"
#include "lib/catalog/manifest_statement.hpp"
#include "lib/migrate/controller/admission.hpp"
#include "lib/migrate/controller/lookup_service.hpp"
#include "lib/migrate/controller/next_generation.hpp"
#include "lib/migrate/nodes/json.hpp"
#include "lib/migrate/onboard/capture.hpp"
#include "lib/migrate/onboard/inspect.hpp"
#include "shardway/catalog/audit.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/catalog/install.hpp"
#include "shardway/manifest/codec.hpp"
#include "shardway/manifest/validate.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

using onboard::capture_change;

struct parsed_manifests {
  std::vector<table_manifest> tables{};
  migration_manifest migration{};
};

/// Errors: `manifest_invalid` with the findings of all documents.
result<parsed_manifests> parse_manifests(apply_arguments const& asked, migration_manifest const& in_force) {
  parsed_manifests manifests{.tables = {}, .migration = in_force};
  std::vector<manifest_finding> findings;
  for (std::size_t i = 0; i < asked.documents.size(); ++i) {
    auto file = parse_table_manifest(asked.documents[i], absl::StrCat("document ", i + 1));
    findings.insert(findings.end(), file.findings.begin(), file.findings.end());
    manifests.tables.push_back(std::move(file.manifest));
  }
  if (asked.migration) {
    auto file = parse_migration_manifest(*asked.migration, "migration");
    findings.insert(findings.end(), file.findings.begin(), file.findings.end());
    manifests.migration = std::move(file.manifest);
  }
  if (!findings.empty()) return error_of(findings);
  return manifests;
}

result<> record_manifests(session& source, std::vector<table_manifest> const& manifests) {
  std::vector<statement> statements;
  for (auto const& manifest : manifests)
    statements.push_back(put_manifest_statement(manifest.table, print(manifest)));
  if (statements.empty()) return success();
  BOOST_OUTCOME_TRYV(run_transaction(source, std::move(statements)));
  return success();
}

std::vector<install_node> install_nodes(node_connections const& nodes) {
  std::vector<install_node> wanted;
  for (auto const& node : nodes.all_nodes())
    wanted.push_back({node.node, wanted.empty() ? node_role::source : node_role::shard, node.name});
  return wanted;
}

result<> audit_changes(session& source, std::string const& holder, std::vector<std::string> const& changes) {
  nodes::json const detail{{"changes", changes}};
  return append_audit(source, holder, "manifest_applied", nodes::to_text(detail));
}

}  // namespace

result<> manifest_service::publish(generation next) {
  auto const before = context_.current;
  auto const onboard = context_.onboarding();
  auto const all_nodes = context_.nodes.all_nodes();
  BOOST_OUTCOME_TRYV(
      prepare_known_lookups(context_.nodes, next, context_.options.migration.application_role, onboard));
  BOOST_OUTCOME_TRYV(
      onboard::change_captures(all_nodes, *before, next, capture_change::before_publication, onboard));
  BOOST_OUTCOME_TRYV(context_.publish(std::move(next)));
  return onboard::change_captures(all_nodes, *before, *context_.current, capture_change::after_publication,
                                  onboard);
}

result<std::string> manifest_service::apply(apply_arguments const& asked) {
  auto& source = context_.nodes.source();
  BOOST_OUTCOME_TRY(auto const manifests, parse_manifests(asked, context_.current->migration));
  BOOST_OUTCOME_TRY(auto const tables, onboard::inspect_tables(source, manifests.tables));
  std::vector<std::string> changes;
  BOOST_OUTCOME_TRY(auto next, generation_with(*context_.current, manifests.migration, tables, changes));
  if (next != *context_.current) {
    BOOST_OUTCOME_TRYV(publish(std::move(next)));
    BOOST_OUTCOME_TRYV(record_manifests(source, manifests.tables));
  }
  nodes::json const document{{"changes", changes}, {"generation", context_.current->number}};
  return nodes::to_text(document);
}

}  // namespace migrate::control

using namespace migrate;
using namespace migrate::control;

result<apply_report> apply_manifests(controller_options const& options,
                                     std::vector<table_manifest> const& manifests) {
  node_connections nodes(options);
  BOOST_OUTCOME_TRYV(nodes.refresh());
  BOOST_OUTCOME_TRY(auto const tables, onboard::inspect_tables(nodes.source(), manifests));
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
  onboard::onboard_options const onboard{.token = lease->token()};
  BOOST_OUTCOME_TRYV(prepare_known_lookups(nodes, next, options.migration.application_role, onboard));
  BOOST_OUTCOME_TRY(next.number, next_generation_number(nodes.source(), sessions.shards));
  BOOST_OUTCOME_TRYV(
      onboard::change_captures(nodes.all_nodes(), known, next, capture_change::before_publication, onboard));
  BOOST_OUTCOME_TRYV(publish_generation(nodes.source(), sessions.shards, next, lease->token()));
  BOOST_OUTCOME_TRYV(
      onboard::change_captures(nodes.all_nodes(), known, next, capture_change::after_publication, onboard));
  BOOST_OUTCOME_TRYV(record_manifests(nodes.source(), manifests));
  BOOST_OUTCOME_TRYV(audit_changes(nodes.source(), options.holder, report.changes));
  report.generation = next.number;
  return report;
}

}  // namespace v0
}  // namespace shardway
