// Installs our objects in the databases and removes them again, also after a crash.
#pragma once

#include <chrono>
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

struct uninstall_options {
  /// Also while processes that use the library are registered: what they write and read from then on fails.
  bool even_with_clients{};
  std::chrono::seconds client_expiry{10};  ///< > 0: a client silent for longer no longer counts
  std::chrono::milliseconds lock_timeout{
      500};  ///< > 0: one try for a lock; below the server's deadlock_timeout
  std::chrono::milliseconds retry_budget{60'000};  ///< >= 0: all tries on one node
};

/// Removes all of it and returns what it was. Walsenders of our replication slots are ended by pid first.
/// Sequences of the source step again as before. Tables whose slots have all moved keep a trigger on the
/// source that refuses writes
/// (`shardway_stale_copy`): what is left there is stale. Idempotent; finishes what a crash left.
///
/// Errors: `precondition_failed` (clients are alive, a replication slot stays in use, or the schema belongs
/// to another migration), `permission_denied`, `corrupt_data` (the newest generation cannot be read),
/// `sql_error` 55P03 and `serialization_failure` 40P01 (tables stayed locked for the whole budget: run it
/// again).
result<std::vector<installed_object>> uninstall(std::vector<install_node> const&,
                                                std::string const& migration, uninstall_options const& = {});

}  // namespace v0
}  // namespace shardway
