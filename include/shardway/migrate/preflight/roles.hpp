// The roles of a migration, with the least rights that do.
#pragma once

#include <string>
#include <vector>

#include "shardway/manifest/manifest.hpp"

namespace shardway {
inline namespace v0 {

struct roles_request {
  node_role role{};
  int server_version{};  ///< such as 150020
  std::string database;
  std::vector<std::string> owners;  ///< roles that own onboarded tables
};

/// SQL for an administrator to run once on a node: creates the roles that are missing and grants what they
/// need. Sets no password.
///
/// engine: LOGIN REPLICATION, member of the owners, pg_read_all_stats and pg_signal_backend, CREATE on the
/// database, on shards also the right to set `session_replication_role` (15 and later by grant; before, only
/// a superuser has it). mirror (source only): may set `session_replication_role`, which before 15 takes a
/// superuser, and is member of the owners. application: what the tables' grants say.
std::string roles_sql(migration_manifest const&, roles_request const&);

}  // namespace v0
}  // namespace shardway
