#include "migration.hpp"

#include <memory>
#include <utility>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"
#include "blocking.hpp"
#include "errors.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/catalog/install.hpp"
#include "shardway/migrate/preflight/plan_steps.hpp"
#include "shardway/migrate/preflight/preflight.hpp"
#include "shardway/migrate/preflight/roles.hpp"
#include "shardway/pg/connect.hpp"

namespace nb = nanobind;

namespace shardway::python {
namespace {

/// Open sessions to all nodes of a migration, for install and uninstall.
struct opened_nodes {
  std::vector<std::unique_ptr<session>> sessions;
  std::vector<install_node> nodes;
};

result<> open_one(opened_nodes& into, node_definition const& node, node_role role, std::string const& user) {
  BOOST_OUTCOME_TRY(auto opened, open_node(node, user));
  into.nodes.push_back({opened.get(), role, node.name});
  into.sessions.push_back(std::move(opened));
  return success();
}

result<opened_nodes> open_all(migration_manifest const& migration, std::string const& user) {
  opened_nodes all;
  BOOST_OUTCOME_TRYV(open_one(all, migration.source, node_role::source, user));
  for (auto const& shard : migration.shards) {
    BOOST_OUTCOME_TRYV(open_one(all, shard, node_role::shard, user));
  }
  return all;
}

nb::list objects_list(std::vector<installed_object> const& objects) {
  nb::list all;
  for (auto const& from : objects) {
    nb::dict one;
    one["node"] = from.node;
    one["kind"] = from.kind;
    one["name"] = from.name;
    all.append(one);
  }
  return all;
}

nb::list preflight(migration_set const& self, std::string const& role, int transaction_age_max_s,
                   std::vector<std::string> const& groups, std::vector<std::string> const& tables) {
  preflight_options options;
  options.connect = [&](node_definition const& node) { return open_node(node, role); };
  options.transaction_age_max = std::chrono::seconds{transaction_age_max_s};
  options.groups = groups;
  options.tables = tables;
  auto found = unwrap(
      interruptible([&](std::stop_token) { return run_preflight(self.migration, self.tables, options); }));
  nb::list all;
  for (auto const& from : found) {
    nb::dict one;
    one["id"] = from.id;
    one["level"] = name(from.level);
    one["node"] = from.node;
    one["subject"] = from.subject;
    one["what"] = from.what;
    one["fix"] = from.fix;
    one["table"] = from.table;
    one["reason"] = from.reason;
    all.append(one);
  }
  return all;
}

nb::list plan_steps(migration_set const& self) {
  nb::list all;
  for (auto const& from : plan(self.migration, self.tables)) {
    nb::dict one;
    one["number"] = from.number;
    one["id"] = from.id;
    one["group"] = from.group;
    one["actor"] = from.actor;
    one["what"] = from.what;
    one["changes"] = from.changes;
    one["undo"] = from.undo;
    all.append(one);
  }
  return all;
}

// Partitions may have other owners than their table.
result<std::vector<std::string>> owners_of(session& source, std::vector<table_manifest> const& tables) {
  std::vector<std::string> quoted;
  for (auto const& table : tables) quoted.push_back(names::quoted_table(table.table));
  BOOST_OUTCOME_TRY(
      auto found,
      source.query({.sql = "SELECT DISTINCT pg_catalog.pg_get_userbyid(c.relowner) FROM "
                           "pg_catalog.unnest($1::text[]) AS t (name) CROSS JOIN LATERAL (SELECT "
                           "pg_catalog.to_regclass(t.name)::oid AS oid UNION SELECT p.relid::oid FROM "
                           "pg_catalog.pg_partition_tree(pg_catalog.to_regclass(t.name)) p) r "
                           "JOIN pg_catalog.pg_class c ON c.oid = r.oid ORDER BY 1",
                    .parameters = {text_array(quoted)}}));
  std::vector<std::string> owners;
  for (std::size_t row = 0; row < found.size(); ++row) owners.emplace_back(found.text(row, 0));
  return owners;
}

struct role_script {
  std::string node;
  std::string sql;
};

result<role_script> script_for(migration_set const& self, node_definition const& node, node_role role,
                               std::vector<std::string> const& owners, std::string const& user) {
  BOOST_OUTCOME_TRY(auto opened, open_node(node, user));
  BOOST_OUTCOME_TRY(auto database, opened->query({.sql = "SELECT pg_catalog.current_database()"}));
  return role_script{node.name,
                     roles_sql(self.migration, {.role = role,
                                                .server_version = opened->identity().server_version,
                                                .database = std::string{database.text(0, 0)},
                                                .owners = owners})};
}

result<std::vector<role_script>> role_scripts(migration_set const& self, std::string const& user) {
  std::vector<role_script> scripts;
  BOOST_OUTCOME_TRY(auto source, open_node(self.migration.source, user));
  BOOST_OUTCOME_TRY(auto owners, owners_of(*source, self.tables));
  BOOST_OUTCOME_TRY(auto first, script_for(self, self.migration.source, node_role::source, owners, user));
  scripts.push_back(std::move(first));
  for (auto const& shard : self.migration.shards) {
    BOOST_OUTCOME_TRY(auto next, script_for(self, shard, node_role::shard, owners, user));
    scripts.push_back(std::move(next));
  }
  return scripts;
}

nb::list roles(migration_set const& self, std::string const& user) {
  nb::list all;
  for (auto const& script :
       unwrap(interruptible([&](std::stop_token) { return role_scripts(self, user); }))) {
    nb::dict one;
    one["node"] = script.node;
    one["sql"] = script.sql;
    all.append(one);
  }
  return all;
}

void run_install(migration_set const& self, std::string const& role) {
  unwrap(interruptible([&](std::stop_token) -> result<> {
    BOOST_OUTCOME_TRY(auto all, open_all(self.migration, role));
    return install(all.nodes, self.migration);
  }));
}

nb::list versions(migration_set const& self, std::string const& role) {
  auto found = unwrap(interruptible([&](std::stop_token) -> result<std::vector<std::pair<std::string, int>>> {
    BOOST_OUTCOME_TRY(auto all, open_all(self.migration, role));
    std::vector<std::pair<std::string, int>> versions;
    for (auto const& node : all.nodes) {
      BOOST_OUTCOME_TRY(auto version, installed_schema_version(*node.node));
      versions.emplace_back(node.name, version);
    }
    return versions;
  }));
  nb::list all;
  for (auto const& [node, version] : found) all.append(nb::make_tuple(node, version));
  return all;
}

template <class Action>
nb::list on_installed(migration_set const& self, std::string const& role, Action action) {
  return objects_list(unwrap(interruptible([&](std::stop_token) -> result<std::vector<installed_object>> {
    BOOST_OUTCOME_TRY(auto all, open_all(self.migration, role));
    return action(all.nodes, self.migration.name);
  })));
}

}  // namespace

std::string conninfo_as(std::string conninfo, std::string const& role) {
  if (role.empty()) return conninfo;
  conninfo += " user='";
  for (auto const letter : role)
    conninfo.append(letter == '\'' || letter == '\\' ? "\\" : "").push_back(letter);
  return conninfo + "'";
}

result<std::unique_ptr<session>> open_node(node_definition const& node, std::string const& role) {
  auto conninfo = conninfo_as(node.conninfo, role);
  return connect(
      {.node = node.name, .conninfo = std::move(conninfo), .application_name = "shardway-command"});
}

void bind_migration(nb::class_<migration_set>& set) {
  set.def("preflight", &preflight, nb::arg("role"), nb::arg("transaction_age_max_s") = 60,
          nb::arg("groups") = std::vector<std::string>{}, nb::arg("tables") = std::vector<std::string>{},
          "What the doctor finds: id, level, node, subject, what, fix, table, reason. Connects to every "
          "node, and only "
          "reads. With groups or tables it looks at these tables only.")
      .def("plan", &plan_steps, "The steps of the migration, in order. Connects to nothing.")
      .def(
          "plan_text", [](migration_set const& self) { return plan_text(plan(self.migration, self.tables)); },
          "The same as text.")
      .def("roles_sql", &roles, nb::arg("role"),
           "For each node the SQL that creates the roles; an administrator runs it. Reads only.")
      .def("install", &run_install, nb::arg("role"),
           "Creates or upgrades schema shardway on each node. Idempotent.")
      .def("schema_versions", &versions, nb::arg("role"),
           "(node, version of schema shardway; 0: not installed).")
      .def(
          "installed",
          [](migration_set const& self, std::string const& role) {
            return on_installed(self, role, list_installed);
          },
          nb::arg("role"), "What `uninstall` would drop now: node, kind, name. Reads only.")
      .def(
          "uninstall",
          [](migration_set const& self, std::string const& role, bool even_with_clients) {
            uninstall_options const options{.even_with_clients = even_with_clients};
            return on_installed(self, role, [&](auto const& nodes, std::string const& migration) {
              return uninstall(nodes, migration, options);
            });
          },
          nb::arg("role"), nb::arg("even_with_clients") = false,
          "Drops everything the migration installed, also after a crash, and returns what it was. Refused "
          "while "
          "clients are registered, unless told otherwise.");
}

}  // namespace shardway::python
