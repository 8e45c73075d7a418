#include "shardway/catalog/install.hpp"

#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error refused(install_node const& at, std::string what, std::string hint) {
  return error{error_code::precondition_failed, "schema shardway on node " + at.name + ": " + std::move(what),
               std::move(hint)}
      .at_node(at.name);
}

// A node belongs to one migration, under one name: two controllers with different manifests must not meet in
// one database.
result<> check_identity(install_node const& at, migration_manifest const& migration) {
  BOOST_OUTCOME_TRY(auto const found, at.node->query({"SELECT name, migration, role FROM shardway.node"}));
  if (found.empty()) return success();
  auto const role = at.role == node_role::source ? "source" : "shard";
  if (found.text(0, 0) == at.name && found.text(0, 1) == migration.name && found.text(0, 2) == role)
    return success();
  return refused(at,
                 "it belongs to migration " + std::string(found.text(0, 1)) + " as " +
                     std::string(found.text(0, 2)) + ' ' + std::string(found.text(0, 0)),
                 "uninstall that one first, or give the right database");
}

result<> install_on(install_node const& at, migration_manifest const& migration) {
  BOOST_OUTCOME_TRY(auto const version, installed_schema_version(*at.node));
  if (version > schema_version)
    return refused(at,
                   "it has version " + std::to_string(version) + ", this library knows " +
                       std::to_string(schema_version),
                   "use the newer release");
  if (version > 0) {
    BOOST_OUTCOME_TRYV(check_identity(at, migration));
  }
  std::string sql = "SET LOCAL lock_timeout = '2s';\n";
  for (int from = version; from > 0 && from < schema_version; ++from) sql += upgrade_sql(from);
  auto const done = at.node->simple(sql + node_schema_sql(at.role, at.name, migration));
  if (!done) return done.error().while_doing("installing schema shardway");
  return success();
}

}  // namespace

result<int> installed_schema_version(session& node) {
  BOOST_OUTCOME_TRY(auto const there,
                    node.query({"SELECT to_regclass('shardway.schema_version') IS NOT NULL"}));
  if (!there.boolean(0, 0)) return 0;
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({"SELECT coalesce(max(version), 0) FROM shardway.schema_version"}));
  BOOST_OUTCOME_TRY(auto const version, found.integer(0, 0));
  return static_cast<int>(version);
}

result<> install(std::vector<install_node> const& nodes, migration_manifest const& migration) {
  for (auto const& at : nodes) {
    BOOST_OUTCOME_TRYV(install_on(at, migration));
  }
  return success();
}

}  // namespace v0
}  // namespace shardway
