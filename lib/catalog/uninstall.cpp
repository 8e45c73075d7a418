#include <algorithm>

#include <absl/strings/str_join.h>

#include "lib/protocol/names.hpp"
#include "lib/protocol/schema.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/catalog/client_registry.hpp"
#include "shardway/catalog/generation_store.hpp"
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

std::string replication_slot_name(install_node const& target, std::string const& migration) {
  return target.role == node_role::source ? names::forward_replication_slot(migration)
                                          : names::reverse_replication_slot(migration, target.name);
}

result<> check_migration(install_node const& target, std::string const& migration) {
  BOOST_OUTCOME_TRY(auto const there,
                    target.node->query({"SELECT to_regclass('shardway.node') IS NOT NULL"}));
  if (!there.boolean(0, 0)) return success();
  BOOST_OUTCOME_TRY(auto const found, target.node->query({"SELECT migration FROM shardway.node"}));
  if (found.empty() || found.text(0, 0) == migration) return success();
  return error{
      error_code::precondition_failed,
      "schema shardway on node " + target.name + " belongs to migration " + std::string(found.text(0, 0)),
      "name that migration, or give the right database"}
      .at_node(target.name);
}

result<std::vector<installed_object>> list_on(install_node const& target, std::string const& migration) {
  BOOST_OUTCOME_TRYV(check_migration(target, migration));
  BOOST_OUTCOME_TRY(
      auto const found,
      target.node->query(
          {std::string(listing), {replication_slot_name(target, migration), names::publication(migration)}}));
  std::vector<installed_object> out;
  for (std::size_t row = 0; row < found.size(); ++row)
    out.push_back({target.name, std::string(found.text(row, 0)), std::string(found.text(row, 1))});
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

result<> remove_replication_slot(install_node const& target, std::string const& name) {
  auto const deadline = steady_now() + std::chrono::seconds{5};
  while (steady_now() < deadline) {
    BOOST_OUTCOME_TRY(bool const gone, try_drop_replication_slot(*target.node, name));
    if (gone) return success();
    sleep_for(std::chrono::milliseconds{50});
  }
  return error{error_code::precondition_failed, "replication slot " + name + " stays in use",
               "stop what streams from it, then run it"
               " again"}
      .at_node(target.name);
}

result<bool> has_table(session& node, char const* table) {
  BOOST_OUTCOME_TRY(auto const found, node.query({"SELECT to_regclass($1) IS NOT NULL", {table}}));
  return found.boolean(0, 0);
}

result<> check_clients(install_node const& target, uninstall_options const& options) {
  if (target.role != node_role::source || options.even_with_clients) return success();
  BOOST_OUTCOME_TRY(bool const has_registry, has_table(*target.node, "shardway.client"));
  if (!has_registry) return success();
  BOOST_OUTCOME_TRY(auto const clients, list_clients(*target.node, options.client_expiry));
  if (clients.empty()) return success();
  auto const append_client = [](std::string* text, client_entry const& client) {
    text->append(client.application).append(" ").append(client.client_id);
  };
  return error{error_code::precondition_failed,
               "clients are alive, and all that they write and read would fail: " +
                   absl::StrJoin(clients, ", ", append_client),
               "stop these services, or deploy them without the library; or uninstall even with clients"}
      .at_node(target.name);
}

bool has_moved_whole(group_state const& group) {
  return std::ranges::all_of(group.authority,
                             [](authority_range const& range) { return range.shard.has_value(); });
}

// What the source has of these tables is not kept up to date any more.
result<std::vector<std::string>> stale_tables(install_node const& target) {
  std::vector<std::string> stale;
  if (target.role != node_role::source) return stale;
  BOOST_OUTCOME_TRY(bool const is_there, has_table(*target.node, "shardway.generation"));
  if (!is_there) return stale;
  BOOST_OUTCOME_TRY(auto const newest, read_newest_generation(*target.node));
  if (!newest) return stale;
  for (auto const& table : newest->tables) {
    auto const* group = newest->find_group(table.manifest.group);
    if (group && has_moved_whole(*group)) stale.push_back(table.manifest.table);
  }
  return stale;
}

bool is_lock_trouble(error const& why) { return why.sqlstate() == "40P01" || why.sqlstate() == "55P03"; }

// One transaction. Writers hold locks on several tables in an order of their own, so a try may lose against
// them.
result<> run_until_locked(install_node const& target, std::string const& sql,
                          uninstall_options const& options) {
  auto const text = "SET LOCAL lock_timeout = " + std::to_string(options.lock_timeout.count()) + ";\n" + sql;
  auto const deadline = steady_now() + options.retry_budget;
  for (;;) {
    auto const done = target.node->simple(text);
    if (done) return success();
    if (!is_lock_trouble(done.error()) || steady_now() >= deadline)
      return done.error().while_doing("removing what shardway installed");
    sleep_for(std::chrono::milliseconds{100});
  }
}

result<> remove_from(install_node const& target, std::string const& migration,
                     uninstall_options const& options) {
  BOOST_OUTCOME_TRY(auto const stale, stale_tables(target));
  BOOST_OUTCOME_TRYV(remove_replication_slot(target, replication_slot_name(target, migration)));
  return run_until_locked(target, uninstall_sql(target.role, migration, stale), options);
}

}  // namespace

result<std::vector<installed_object>> list_installed(std::vector<install_node> const& nodes,
                                                     std::string const& migration) {
  std::vector<installed_object> out;
  for (auto const& target : nodes) {
    BOOST_OUTCOME_TRY(auto const found, list_on(target, migration));
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

result<std::vector<installed_object>> uninstall(std::vector<install_node> const& nodes,
                                                std::string const& migration,
                                                uninstall_options const& options) {
  BOOST_OUTCOME_TRY(auto out, list_installed(nodes, migration));
  for (auto const& target : nodes) {
    BOOST_OUTCOME_TRYV(check_clients(target, options));
  }
  for (auto const& target : nodes) {
    BOOST_OUTCOME_TRYV(remove_from(target, migration, options));
  }
  return out;
}

}  // namespace v0
}  // namespace shardway
