#include "lib/migrate/controller/verification_service.hpp"

#include <algorithm>

#include "lib/catalog/guarded.hpp"
#include "lib/migrate/nodes/json.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/catalog/certificate.hpp"
#include "shardway/migrate/verify/reconcile.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

using nodes::json;

json verdict_json(table_verdict const& found) {
  auto named = json::array();
  for (auto const& row : found.rows_named)
    named.push_back({{"kind", name(row.kind)}, {"node", row.node}, {"key_digest", row.key_digest}});
  return {{"relation", found.relation},    {"verdict", name(found.found)}, {"rows", found.rows},
          {"rechecked", found.rechecked},  {"differing", found.differing}, {"as_of", found.as_of.to_string()},
          {"rows_named", std::move(named)}};
}

json repairs_json(std::vector<repair_report> const& repairs) {
  auto all = json::array();
  for (auto const& one : repairs)
    all.push_back(
        {{"relation", one.relation}, {"node", one.node}, {"kind", one.kind}, {"key_digest", one.key_digest}});
  return all;
}

json tables_json(std::vector<table_verdict> const& verdicts) {
  auto all = json::array();
  for (auto const& found : verdicts) all.push_back(verdict_json(found));
  return all;
}

bool all_equal(std::vector<table_verdict> const& verdicts) {
  return std::all_of(verdicts.begin(), verdicts.end(),
                     [](table_verdict const& found) { return found.found == verdict::equal; });
}

// The partitions that were there before the first row was read: a certificate is void once others are there.
result<> certify(session& catalog, std::int64_t token, std::string const& group, group_drift const& drift,
                 std::vector<table_verdict> const& verdicts) {
  for (auto const& found : verdicts) {
    json const detail{{"differing", found.differing},
                      {"rechecked", found.rechecked},
                      {"trees", trees_json(drift, found.relation)}};
    BOOST_OUTCOME_TRYV(insert_certificate(catalog, token,
                                          {.id = 0,
                                           .group = group,
                                           .relation = found.relation,
                                           .found = found.found,
                                           .row_count = found.rows,
                                           .as_of = found.as_of,
                                           .detail = nodes::to_text(detail),
                                           .started_at = found.started_at,
                                           .recorded_at = {}}));
  }
  return success();
}

std::vector<session*> nodes_of(node_sessions const& sessions) {
  auto nodes = sessions.shards;
  nodes.insert(nodes.begin(), sessions.source);
  return nodes;
}

// The newest note of a conflict on each node.
result<std::vector<std::string>> newest_conflicts(node_sessions const& sessions) {
  std::vector<std::string> newest;
  for (auto* node : nodes_of(sessions)) {
    BOOST_OUTCOME_TRY(auto const found, node->query({"SELECT coalesce(max(id), 0) FROM shardway.conflict"}));
    newest.emplace_back(found.text(0, 0));
  }
  return newest;
}

// Every row of a table that was found equal is where it belongs: older notes on its keys are resolved (AP10).
result<> forget_resolved_conflicts(node_sessions const& sessions, std::int64_t token,
                                   std::vector<std::string> const& newest,
                                   std::vector<table_verdict> const& verdicts) {
  std::vector<std::string> equal;
  for (auto const& found : verdicts)
    if (found.found == verdict::equal) equal.push_back(found.relation);
  auto const nodes = nodes_of(sessions);
  for (std::size_t i = 0; i < nodes.size() && i < newest.size(); ++i) {
    if (newest[i] == "0" || equal.empty()) continue;
    BOOST_OUTCOME_TRYV(
        run_guarded(*nodes[i], token,
                    {{"DELETE FROM shardway.conflict WHERE id <= $1::int8 AND relation = ANY ($2::text[])",
                      {newest[i], text_array(equal)}}}));
  }
  return success();
}

// Rows of tables whose shapes differ cannot be told to be equal.
result<std::vector<table_verdict>> undecided(session& catalog, generation const& now,
                                             std::string const& group) {
  BOOST_OUTCOME_TRY(auto const started_at, database_now(catalog));
  std::vector<table_verdict> verdicts;
  for (auto const& table : now.tables)
    if (table.manifest.group == group)
      verdicts.push_back({.relation = table.manifest.table,
                          .found = verdict::could_not_tell,
                          .as_of = {},
                          .started_at = started_at,
                          .rows_named = {}});
  return verdicts;
}

}  // namespace

result<std::vector<table_verdict>> verification_service::find_verdicts(std::string const& group) {
  BOOST_OUTCOME_TRYV(context_.group(group));
  if (!context_.streams) return no_stream_error(group);
  auto const& options = context_.options;
  auto const& now = *context_.current;
  BOOST_OUTCOME_TRYV(context_.nodes.refresh());
  BOOST_OUTCOME_TRY(auto drift, read_drift(context_.nodes.sessions(), now, {group}));
  add_paused_groups(drift, context_.streams->paused_groups());
  auto const& of_group = drift[group];
  shape_differs_ = onboard::pauses(of_group.shape) ? of_group.shape : decltype(shape_differs_){};
  BOOST_OUTCOME_TRY(auto const noted, newest_conflicts(context_.nodes.sessions()));
  BOOST_OUTCOME_TRY(auto verdicts, shape_differs_.empty() ? verify_group(engine_nodes_for(options), now,
                                                                         group, options.verification)
                                                          : undecided(context_.nodes.source(), now, group));
  BOOST_OUTCOME_TRYV(context_.nodes.refresh());
  BOOST_OUTCOME_TRYV(forget_resolved_conflicts(context_.nodes.sessions(), context_.token(), noted, verdicts));
  BOOST_OUTCOME_TRYV(certify(context_.nodes.source(), context_.token(), group, of_group, verdicts));
  return verdicts;
}

result<std::string> verification_service::verify(group_arguments const& asked) {
  BOOST_OUTCOME_TRY(auto const verdicts, find_verdicts(asked.group));
  json const document{{"tables", tables_json(verdicts)},
                      {"equal", all_equal(verdicts)},
                      {"shape_differs", to_json(shape_differs_)}};
  return nodes::to_text(document);
}

result<std::string> verification_service::reconcile(group_arguments const& asked) {
  BOOST_OUTCOME_TRY(auto const verdicts, find_verdicts(asked.group));
  auto const& options = context_.options;
  BOOST_OUTCOME_TRY(auto const repairs,
                    reconcile_group(engine_nodes_for(options), *context_.current, asked.group, verdicts,
                                    context_.token(), options.verification));
  json const document{{"tables", tables_json(verdicts)},
                      {"repairs", repairs_json(repairs)},
                      {"equal", all_equal(verdicts)},
                      {"shape_differs", to_json(shape_differs_)}};
  return nodes::to_text(document);
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
