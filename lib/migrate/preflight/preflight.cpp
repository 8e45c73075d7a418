#include "shardway/migrate/preflight/preflight.hpp"

#include <algorithm>

#include "lib/migrate/preflight/checks.hpp"
#include "lib/migrate/preflight/object_checks.hpp"
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

}  // namespace

std::string_view name(finding_level level) noexcept {
  switch (level) {
    case finding_level::pass:
      return "pass";
    case finding_level::warn:
      return "warn";
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
  std::vector<finding> out;
  context source{migration, tables, options, out, nullptr, migration.source.name, node_role::source};
  auto const source_link = check_node(source, migration.source);
  auto const objects = source_link ? check_objects(source) : std::nullopt;
  int newest_shard = 0;
  for (auto const& definition : migration.shards) {
    context shard{migration, tables, options, out, nullptr, definition.name, node_role::shard};
    auto const link = check_node(shard, definition);
    if (link && source_link) check_shard_against(shard, *source_link);
    if (link && objects) check_objects_on_shard(shard, *objects);
    if (link) newest_shard = std::max(newest_shard, shard.server_version());
  }
  if (!source_link) return out;
  check_text(source, newest_shard);
  for (auto const& table : tables)
    if (check_table(source, table)) check_links(source, table);
  return out;
}

}  // namespace v0
}  // namespace shardway
