#include "lib/migrate/controller/admission.hpp"

#include <algorithm>
#include <map>

#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/migrate/preflight/preflight.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

// Of the doctor's checks of nodes those without which nothing works, or that installing itself would hurt:
// whoever publishes all tables would get those of schema shardway (F6). The others may be put right while the
// group is observed.
constexpr std::string_view needed[]{"server_version", "wal_level", "replication_slots",     "wal_senders",
                                    "role_exists",    "installed", "all_tables_publication"};

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

result<> check_replica_identities(session& source, std::vector<table_manifest> const& tables,
                                  objections& out) {
  std::vector<std::string> plain, quoted;
  for (auto const& table : tables) {
    plain.push_back(table.table);
    quoted.push_back(names::quoted_table(table.table));
  }
  BOOST_OUTCOME_TRY(
      auto const found,
      source.query({"SELECT t.plain, t.quoted FROM unnest($1::text[], $2::text[]) AS t (plain, quoted) "
                    "JOIN pg_class c ON c.oid = to_regclass(t.quoted) WHERE c.relreplident = 'n' ORDER "
                    "BY 1",
                    {text_array(plain), text_array(quoted)}}));
  for (std::size_t row = 0; row < found.size(); ++row)
    out.add(source.identity().name,
            std::string(found.text(row, 0)) + ": it is NOTHING: updates and deletes would not be decoded",
            "ALTER TABLE " + std::string(found.text(row, 1)) + " REPLICA IDENTITY DEFAULT");
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
  BOOST_OUTCOME_TRY(auto const list, run_preflight(options.migration, {}, how));
  for (auto const& one : list)
    if (one.level == finding_level::fail &&
        std::find(std::begin(needed), std::end(needed), one.id) != std::end(needed))
      found.add(one.node, one.subject + ": " + one.what, one.fix);
  BOOST_OUTCOME_TRYV(check_replica_identities(*nodes.sessions().source, tables, found));
  if (found.what.empty()) return success();
  return error{error_code::precondition_failed, "the migration can't begin: " + found.what, found.fixes};
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
