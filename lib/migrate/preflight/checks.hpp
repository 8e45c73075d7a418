// The checks of the preflight, one function per question. Each adds at least one finding, also when it
// passes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/protocol/schema.hpp"
#include "shardway/migrate/preflight/preflight.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {

struct context {
  migration_manifest const& migration;
  std::vector<table_manifest> const& tables;
  preflight_options const& options;
  std::vector<finding>& out;
  session* node{};
  std::string name{};  ///< of the node
  node_role role{};
  std::string table{};  ///< that is being checked; empty while the node itself is

  void add(std::string_view id, finding_level level, std::string subject, std::string what,
           std::string fix = {}) const {
    out.push_back({std::string(id), level, name, std::move(subject), std::move(what), std::move(fix), table});
  }
  void pass(std::string_view id, std::string subject, std::string what) const {
    add(id, finding_level::pass, std::move(subject), std::move(what));
  }
  void warn(std::string_view id, std::string subject, std::string what, std::string fix) const {
    add(id, finding_level::warn, std::move(subject), std::move(what), std::move(fix));
  }
  void fail(std::string_view id, std::string subject, std::string what, std::string fix) const {
    add(id, finding_level::fail, std::move(subject), std::move(what), std::move(fix));
  }
  int server_version() const noexcept { return node->identity().server_version; }
};

/// Settings, version, replication slots, transactions, publications, clock, what is installed.
void check_server(context const&);
/// Roles and what they may do.
void check_roles(context const&);
/// Which owners of the source's tables the shard lacks. Reads about the tables from `source`.
void check_shard_against(context const& shard, session& source);

/// Runs a query. An error becomes a finding with that id, and the answer is empty.
rows ask(context const&, std::string_view id, statement const&);

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
