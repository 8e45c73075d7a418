#include "lib/migrate/controller/admission.hpp"

#include <algorithm>
#include <map>

#include "shardway/migrate/preflight/preflight.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

// Of the preflight's checks those without which nothing works; the others may be put right while the group is
// observed.
constexpr std::string_view needed[]{"server_version", "wal_level", "replication_slots", "wal_senders",
                                    "role_exists",    "installed", "replica_identity"};

struct objections {
  std::string what{};
  std::string fixes{};

  void add(std::string const& node, std::string const& found, std::string const& fix) {
    what += (what.empty() ? "" : "; ") + node + ": " + found;
    fixes += (fixes.empty() ? "" : "; ") + fix;
  }
};

result<> check_places(node_connections const& nodes, objections& out) {
  std::map<std::pair<std::uint64_t, std::string>, std::string> seen;
  for (auto const& checked : nodes.all_nodes()) {
    BOOST_OUTCOME_TRY(
        auto const answer,
        checked.node->query({.sql = "SELECT current_database(), pg_catalog.pg_is_in_recovery()"}));
    if (answer.boolean(0, 1))
      out.add(checked.name, "it is a standby", "give the address of the primary as " + checked.name);
    auto const [other, is_new] = seen.emplace(
        std::pair{checked.node->identity().system_identifier, std::string(answer.text(0, 0))}, checked.name);
    if (!is_new)
      out.add(checked.name, "it is the same database as " + other->second,
              "give " + checked.name + " a database of its own");
  }
  return success();
}

}  // namespace

result<> check_admission(controller_options const& options, node_connections const& nodes,
                         std::vector<table_manifest> const& tables) {
  objections found;
  BOOST_OUTCOME_TRYV(check_places(nodes, found));
  preflight_options how;
  how.row_check_time = {};  // rows may change until the group begins to copy
  how.connect = [&](node_definition const& node) {
    return connect(options_for(node, options.migration.engine_role, options));
  };
  BOOST_OUTCOME_TRY(auto const list, run_preflight(options.migration, tables, how));
  for (auto const& one : list)
    if (one.level == finding_level::fail &&
        std::find(std::begin(needed), std::end(needed), one.id) != std::end(needed))
      found.add(one.node, one.subject + ": " + one.what, one.fix);
  if (found.what.empty()) return success();
  return error{error_code::precondition_failed, "the migration can't begin: " + found.what, found.fixes};
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
