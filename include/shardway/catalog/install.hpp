// Installs our objects in the databases and removes them again, also after a crash.
#pragma once

#include <string>
#include <vector>

#include "shardway/base/result.hpp"
#include "shardway/manifest/manifest.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

/// A node to install on. Lifetime: the session must outlive the call.
struct install_node {
  session* node{};
  node_role role{};
  std::string name;  ///< its name in the migration
};

/// The newest schema version on a node; 0 if ours is not installed.
result<int> installed_schema_version(session&);

/// Creates or upgrades schema `shardway` on each node, each in one transaction with `lock_timeout` 2 s.
/// Idempotent.
///
/// Preconditions: the roles of the manifest exist; the sessions' role may create a schema.
/// Errors: `precondition_failed` (a newer schema version, or the schema belongs to another migration or
/// node), `permission_denied`.
result<> install(std::vector<install_node> const&, migration_manifest const&);

/// One object that uninstalling removes.
struct installed_object {
  std::string node;
  std::string kind;  ///< replication slot, publication, trigger, column, index, function, schema
  std::string name;
};

/// What `uninstall` would remove now. Changes nothing.
///
/// Errors: `precondition_failed` (the schema belongs to another migration).
result<std::vector<installed_object>> list_installed(std::vector<install_node> const&,
                                                     std::string const& migration);

/// Removes all of it and returns what it was. Walsenders of our replication slots are ended by pid first.
/// Idempotent; finishes what a crash left.
///
/// Errors: `precondition_failed` (a replication slot stays in use, or the schema belongs to another
/// migration), `permission_denied`, `sql_error` 55P03 (a table stays locked: run it again).
result<std::vector<installed_object>> uninstall(std::vector<install_node> const&,
                                                std::string const& migration);

}  // namespace v0
}  // namespace shardway
