
#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/catalog/install.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// Found by what is there: a crash may have left any part of it.
constexpr std::string_view listing =
    "SELECT 'replication slot', slot_name::text FROM pg_replication_slots WHERE slot_name = $1 AND database "
    "= current_database()"
    " UNION ALL SELECT 'publication', pubname::text FROM pg_publication WHERE pubname = $2"
    " UNION ALL SELECT 'trigger', tgname || ' on ' || tgrelid::regclass FROM pg_trigger"
    "   WHERE (tgname IN ('shardway_guard', 'shardway_key_change') OR tgname LIKE 'shardway\\_capture%') AND "
    "tgparentid = 0"
    " UNION ALL SELECT 'index', c.oid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = "
    "i.indexrelid WHERE c.relname LIKE"
    " 'shardway\\_identity\\_%'"
    " UNION ALL SELECT 'column', attrelid::regclass || '._shardway_version' FROM pg_attribute a JOIN "
    "pg_class c ON c.oid = a.attrelid"
    "   WHERE attname = '_shardway_version' AND NOT attisdropped AND attinhcount = 0 AND relkind IN ('r', "
    "'p')"
    " UNION ALL SELECT 'schema', nspname::text FROM pg_namespace WHERE nspname = 'shardway'";

std::string replication_slot_name(install_node const& at, std::string const& migration) {
  return at.role == node_role::source ? names::forward_replication_slot(migration)
                                      : names::reverse_replication_slot(migration, at.name);
}

result<> check_migration(install_node const& at, std::string const& migration) {
  BOOST_OUTCOME_TRY(auto const there, at.node->query({"SELECT to_regclass('shardway.node') IS NOT NULL"}));
  if (!there.boolean(0, 0)) return success();
  BOOST_OUTCOME_TRY(auto const found, at.node->query({"SELECT migration FROM shardway.node"}));
  if (found.empty() || found.text(0, 0) == migration) return success();
  return error{
      error_code::precondition_failed,
      "schema shardway on node " + at.name + " belongs to migration " + std::string(found.text(0, 0)),
      "name that migration, or give the right database"}
      .at_node(at.name);
}

result<std::vector<installed_object>> list_on(install_node const& at, std::string const& migration) {
  BOOST_OUTCOME_TRYV(check_migration(at, migration));
  BOOST_OUTCOME_TRY(auto const found,
                    at.node->query({std::string(listing),
                                    {replication_slot_name(at, migration), names::publication(migration)}}));
  std::vector<installed_object> out;
  for (std::size_t row = 0; row < found.size(); ++row)
    out.push_back({at.name, std::string(found.text(row, 0)), std::string(found.text(row, 1))});
  return out;
}

// One statement: ends the walsender if there is one, else drops. True when the replication slot is gone.
result<bool> try_drop_replication_slot(session& node, std::string const& name) {
  BOOST_OUTCOME_TRY(
      auto const found,
      node.query({"SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1 AND database ="
                  " current_database()",
                  {name}}));
  if (found.empty()) return true;
  if (found.at(0, 0)) {
    BOOST_OUTCOME_TRYV(node.query({"SELECT pg_terminate_backend($1::int)", {std::string(found.text(0, 0))}}));
    return false;
  }
  auto const dropped = node.query({"SELECT pg_drop_replication_slot($1)", {name}});
  if (dropped) return true;
  if (dropped.error().sqlstate() == "55006" || dropped.error().sqlstate() == "42704") return false;
  // in use again, or gone: look once more
  return dropped.error();
}

result<> remove_replication_slot(install_node const& at, std::string const& name) {
  auto const deadline = steady_now() + std::chrono::seconds{5};
  while (steady_now() < deadline) {
    BOOST_OUTCOME_TRY(bool const gone, try_drop_replication_slot(*at.node, name));
    if (gone) return success();
    sleep_for(std::chrono::milliseconds{50});
  }
  return error{error_code::precondition_failed, "replication slot " + name + " stays in use",
               "stop what streams from it, then run it"
               " again"}
      .at_node(at.name);
}

}  // namespace

result<std::vector<installed_object>> list_installed(std::vector<install_node> const& nodes,
                                                     std::string const& migration) {
  std::vector<installed_object> out;
  for (auto const& at : nodes) {
    BOOST_OUTCOME_TRY(auto const found, list_on(at, migration));
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

result<std::vector<installed_object>> uninstall(std::vector<install_node> const& nodes,
                                                std::string const& migration) {
  BOOST_OUTCOME_TRY(auto out, list_installed(nodes, migration));
  for (auto const& at : nodes) {
    BOOST_OUTCOME_TRYV(remove_replication_slot(at, replication_slot_name(at, migration)));
    auto const done = at.node->simple("SET LOCAL lock_timeout = '2s';\n" + uninstall_sql(at.role, migration));
    if (!done) return done.error().while_doing("removing what shardway installed");
  }
  return out;
}

}  // namespace v0
}  // namespace shardway
