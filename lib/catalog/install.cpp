#include "shardway/catalog/install.hpp"

#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"

namespace shardway {
inline namespace v0 {
namespace {

error refused(install_node const& target, std::string what, std::string hint) {
  return error{error_code::precondition_failed,
               "schema shardway on node " + target.name + ": " + std::move(what), std::move(hint)}
      .at_node(target.name);
}

// A node belongs to one migration, under one name: two controllers with different manifests must not meet in
// one database.
result<> check_identity(install_node const& target, migration_manifest const& migration) {
  BOOST_OUTCOME_TRY(auto const found,
                    target.node->query({"SELECT name, migration, role FROM shardway.node"}));
  if (found.empty()) return success();
  auto const role = target.role == node_role::source ? "source" : "shard";
  if (found.text(0, 0) == target.name && found.text(0, 1) == migration.name && found.text(0, 2) == role)
    return success();
  return refused(target,
                 "it belongs to migration " + std::string(found.text(0, 1)) + " as " +
                     std::string(found.text(0, 2)) + ' ' + std::string(found.text(0, 0)),
                 "uninstall that one first, or give the right database");
}

result<> install_on(install_node const& target, migration_manifest const& migration) {
  BOOST_OUTCOME_TRY(auto const version, installed_schema_version(*target.node));
  if (version > schema_version)
    return refused(target,
                   "it has version " + std::to_string(version) + ", this library knows " +
                       std::to_string(schema_version),
                   "use the newer release");
  if (version > 0) {
    BOOST_OUTCOME_TRYV(check_identity(target, migration));
  }
  std::string sql = "SET LOCAL lock_timeout = '2s';\n";
  for (int step = version; step > 0 && step < schema_version; ++step) sql += upgrade_sql(step);
  auto const done = target.node->simple(sql + node_schema_sql(target.role, target.name, migration));
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
  for (auto const& target : nodes) {
    BOOST_OUTCOME_TRYV(install_on(target, migration));
  }
  return success();
}

}  // namespace v0
}  // namespace shardway
