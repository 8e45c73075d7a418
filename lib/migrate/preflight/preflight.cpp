#include "shardway/migrate/preflight/preflight.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/migrate/preflight/accepted.hpp"
#include "lib/migrate/preflight/checks.hpp"
#include "lib/migrate/preflight/object_checks.hpp"
#include "lib/migrate/preflight/read_facts.hpp"
#include "lib/migrate/preflight/rules.hpp"
#include "lib/migrate/preflight/text_checks.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::preflight;

namespace {

std::string fix_of(error_code code) {
  if (code == error_code::authentication_failed) return "check role, password source and pg_hba.conf";
  if (code == error_code::node_unreachable) return "check host, port, TLS and that the server runs";
  return "correct the node's conninfo in the migration's manifest";
}

std::unique_ptr<session> open(context& checked, node_definition const& definition) {
  auto opened = checked.options.connect(definition);
  if (!opened) {
    checked.fail("reachable", definition.name, opened.error().to_string(), fix_of(opened.error().code()));
    return nullptr;
  }
  checked.pass("reachable", definition.name, "the engine's role connects");
  checked.node = opened.value().get();
  return std::move(opened).value();
}

std::unique_ptr<session> check_node(context& checked, node_definition const& definition) {
  auto link = open(checked, definition);
  if (!link) return nullptr;
  check_server(checked);
  check_roles(checked);
  check_encoding(checked);
  return link;
}

bool is_named(std::vector<std::string> const& names, std::string_view wanted) {
  return std::find(names.begin(), names.end(), wanted) != names.end();
}

error unknown_name(char const* what, std::string const& name) {
  return error{error_code::invalid_argument, absl::StrCat("no manifest has the ", what, " ", name),
               "correct the name, or leave the filter away"};
}

result<std::vector<table_manifest>> selected(std::vector<table_manifest> const& tables,
                                             preflight_options const& options) {
  if (options.groups.empty() && options.tables.empty()) return tables;
  for (auto const& group : options.groups)
    if (std::none_of(tables.begin(), tables.end(), [&](auto const& table) { return table.group == group; }))
      return unknown_name("group", group);
  for (auto const& name : options.tables)
    if (std::none_of(tables.begin(), tables.end(), [&](auto const& table) { return table.table == name; }))
      return unknown_name("table", name);
  std::vector<table_manifest> out;
  for (auto const& table : tables)
    if (is_named(options.groups, table.group) || is_named(options.tables, table.table)) out.push_back(table);
  return out;
}

/// Facts of all tables, also where a filter selects some: a foreign key's other side has a say.
void check_tables(context const& source, std::vector<table_manifest> const& all,
                  std::vector<int> const& shard_versions) {
  auto facts = read_facts(*source.node, all);
  if (!facts)
    return source.fail("table", std::string(unknown_subject),
                       "could not be checked: " + facts.error().to_string(),
                       "let the engine's role read the catalog, and run the doctor again");
  facts.value().shard_versions = shard_versions;
  note_mentions(facts.value(), all);
  if (source.options.row_check_time.count() > 0)
    read_rows(*source.node, all, {source.options.row_check_time, source.options.row_check_time_all},
              source.tables, facts.value());
  finding_list found{source.name};
  for (auto const& table : source.tables) {
    found.set_table(table.table);
    judge_table(facts.value(), source.migration, all, table, found);
  }
  found.set_table({});
  check_functions(facts.value(), all, found);
  source.out.insert(source.out.end(), found.all().begin(), found.all().end());
}

}  // namespace

std::string_view name(finding_level level) noexcept {
  switch (level) {
    case finding_level::pass:
      return "pass";
    case finding_level::warn:
      return "warn";
    case finding_level::accepted:
      return "accepted";
    case finding_level::fail:
      return "fail";
  }
  return "unknown";
}

finding_level worst(std::vector<finding> const& list) noexcept {
  auto out = finding_level::pass;
  for (auto const& one : list) out = std::max(out, one.level);
  return out;
}

result<std::vector<finding>> run_preflight(migration_manifest const& migration,
                                           std::vector<table_manifest> const& tables,
                                           preflight_options const& options) {
  if (!options.connect)
    return error{error_code::invalid_argument, "preflight_options.connect is empty",
                 "give a function that opens a session"};
  BOOST_OUTCOME_TRY(auto const wanted, selected(tables, options));
  std::vector<finding> out;
  context source{migration, wanted, options, out, nullptr, migration.source.name, node_role::source};
  auto const source_link = check_node(source, migration.source);
  auto const objects = source_link ? check_objects(source, tables) : std::nullopt;
  std::vector<int> shard_versions;
  for (auto const& definition : migration.shards) {
    context shard{migration, wanted, options, out, nullptr, definition.name, node_role::shard};
    auto const link = check_node(shard, definition);
    if (link) shard_versions.push_back(link->identity().server_version);
    if (link && source_link) check_shard_against(shard, *source_link);
    if (link && objects) check_objects_on_shard(shard, *objects);
  }
  if (source_link) {
    check_text(source,
               shard_versions.empty() ? 0 : *std::max_element(shard_versions.begin(), shard_versions.end()));
    check_tables(source, tables, shard_versions);
  }
  accept_findings(out, migration, tables);
  return out;
}

}  // namespace v0
}  // namespace shardway
