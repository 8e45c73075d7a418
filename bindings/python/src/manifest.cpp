#include <string>
#include <utility>
#include <vector>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"
#include "errors.hpp"
#include "keys.hpp"
#include "migration.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/manifest/plan.hpp"
#include "shardway/manifest/routes.hpp"
#include "shardway/manifest/validate.hpp"
#include "values.hpp"

namespace nb = nanobind;

namespace shardway::python {
namespace {

using named_text = std::pair<std::string, std::string>;

nb::list findings_list(std::vector<manifest_finding> const& findings) {
  nb::list all;
  for (auto const& from : findings) {
    nb::dict one;
    one["code"] = from.code;
    one["file"] = from.file;
    one["line"] = from.line;
    one["column"] = from.column;
    one["message"] = from.message;
    one["hint"] = from.hint;
    one["text"] = from.to_string();
    all.append(one);
  }
  return all;
}

/// The files of a migration, read but not judged.
struct parsed_files {
  migration_file migration;
  std::vector<table_file> tables;
};

parsed_files parse_files(named_text const& migration, std::vector<named_text> const& tables) {
  parsed_files parsed{parse_migration_manifest(migration.second, migration.first), {}};
  for (auto const& [file, text] : tables) parsed.tables.push_back(parse_table_manifest(text, file));
  return parsed;
}

nb::list lint(named_text const& migration, std::vector<named_text> const& tables) {
  auto const parsed = parse_files(migration, tables);
  return findings_list(validate_set(parsed.migration, parsed.tables));
}

migration_set load(named_text const& migration, std::vector<named_text> const& tables) {
  auto parsed = parse_files(migration, tables);
  auto const findings = validate_set(parsed.migration, parsed.tables);
  if (!findings.empty()) raise(error_of(findings));
  migration_set set{std::move(parsed.migration.manifest), {}};
  for (auto& table : parsed.tables) set.tables.push_back(std::move(table.manifest));
  return set;
}

template <class File>
std::string formatted(File const& parsed) {
  if (!parsed.findings.empty()) raise(error_of(parsed.findings));
  return print(parsed.manifest);
}

nb::dict table_document(table_manifest const& from) {
  nb::dict one;
  one["table"] = from.table;
  one["group"] = from.group;
  one["kind"] = from.kind == table_kind::reference ? "reference" : "sharded";
  one["shard_key"] = nb::cast(from.shard_key);
  one["key"] = nb::cast(from.key);
  one["stage_until"] = name(from.stage_until);
  return one;
}

nb::dict node_document(node_definition const& from) {
  nb::dict one;
  one["name"] = from.name;
  one["conninfo"] = from.conninfo;
  nb::list replicas;
  for (auto const& replica : from.replicas) replicas.append(node_document(replica));
  one["replicas"] = replicas;
  return one;
}

nb::list nodes_list(migration_set const& self) {
  nb::list all;
  all.append(node_document(self.migration.source));
  for (auto const& shard : self.migration.shards) all.append(node_document(shard));
  return all;
}

nb::list tables_list(migration_set const& self) {
  nb::list all;
  for (auto const& table : self.tables) all.append(table_document(table));
  return all;
}

generation decoded(std::string const& document) { return unwrap(decode_generation(document)); }

nb::list diff_list(migration_set const& self, std::optional<std::string> const& applied) {
  auto const before = applied ? decoded(*applied) : generation{};
  nb::list all;
  auto changes = diff(before, self.migration);
  auto of_tables = diff(before, self.tables);
  changes.insert(changes.end(), of_tables.begin(), of_tables.end());
  for (auto const& from : changes) {
    nb::dict one;
    one["kind"] = name(from.kind);
    one["table"] = from.table;
    one["field"] = from.field;
    one["from"] = from.before;
    one["to"] = from.after;
    one["reason"] = from.reason;
    all.append(one);
  }
  return all;
}

std::string name_of(generation const& from, std::optional<shard_id> shard) {
  if (!shard) return from.migration.source.name;
  return shard->value() < from.migration.shards.size() ? from.migration.shards[shard->value()].name
                                                       : std::to_string(shard->value());
}

nb::dict group_document(generation const& from, group_state const& group) {
  nb::dict one;
  one["group"] = group.name;
  one["stage"] = name(group.stage);
  nb::list authority;
  std::uint32_t moved = 0;
  for (auto const& range : group.authority) {
    if (range.shard) moved += range.slots.count();
    nb::dict held;
    held["slots"] = nb::make_tuple(range.slots.first.value(), range.slots.last.value());
    held["node"] = name_of(from, range.shard);
    held["epoch"] = range.epoch.value();
    authority.append(held);
  }
  one["authority"] = authority;
  one["moved_slots"] = moved;
  nb::list tables;
  for (auto const& table : from.tables)
    if (table.manifest.group == group.name) tables.append(table.manifest.table);
  one["tables"] = tables;
  return one;
}

nb::dict summary(std::string const& document) {
  auto const from = decoded(document);
  nb::dict one;
  one["generation"] = from.number;
  one["migration"] = from.migration.name;
  nb::list groups;
  for (auto const& group : from.groups) groups.append(group_document(from, group));
  one["groups"] = groups;
  return one;
}

std::vector<std::string> key_types(table_state const& table) {
  std::vector<std::string> types;
  for (auto const& wanted : table.manifest.shard_key)
    for (auto const& column : table.columns)
      if (column.name == wanted) types.push_back(column.type);
  return types;
}

nb::dict explain(std::string const& document, std::string const& table,
                 std::vector<std::string> const& values) {
  auto const from = decoded(document);
  auto const* const state = from.find_table(table);
  if (state == nullptr)
    raise({error_code::unknown_table,
           "no manifest of generation " + std::to_string(from.number) + " names " + table,
           "write it as schema.name"});
  auto const snapshot = unwrap(routes_of(from));
  auto const types = key_types(*state);
  auto const found = unwrap(snapshot->by_key(table, key_from_text(types, values)));
  nb::dict one;
  one["table"] = table;
  one["group"] = state->manifest.group;
  one["stage"] = name(from.find_group(state->manifest.group)->stage);
  one["shard_key"] = nb::cast(state->manifest.shard_key);
  one["types"] = nb::cast(types);
  one["slot"] = found.slot.value();
  one["authority"] = name_of(from, found.node.shard());
  one["epoch"] = found.epoch.value();
  one["placed_on"] = name_of(from, found.placed);
  one["dual_written"] = found.dual_written;
  one["generation"] = from.number;
  return one;
}

}  // namespace

void bind_manifest(nb::module_& module) {
  module.def("lint", &lint, nb::arg("migration"), nb::arg("tables"),
             "Everything wrong with the (file, text) pairs: code, file, line, column, message, hint, text.");
  module.def(
      "format_table",
      [](std::string const& text, std::string const& file) {
        return formatted(parse_table_manifest(text, file));
      },
      nb::arg("text"), nb::arg("file"), "The table's manifest in its one form.");
  module.def(
      "format_migration",
      [](std::string const& text, std::string const& file) {
        return formatted(parse_migration_manifest(text, file));
      },
      nb::arg("text"), nb::arg("file"), "The migration's manifest in its one form.");
  module.def("generation_summary", &summary, nb::arg("document"),
             "Groups, stages and authority of a generation's document.");
  module.def("explain_route", &explain, nb::arg("document"), nb::arg("table"), nb::arg("values"),
             "Where a call with this shard key (in text form) goes by a generation's document, and why.");
  nb::class_<migration_set> set(module, "MigrationSet", "The manifests of one migration, parsed and valid.");
  set.def_static("load", &load, nb::arg("migration"), nb::arg("tables"),
                 "From (file, text) pairs; raises ConfigError with all findings.")
      .def_prop_ro("name", [](migration_set const& self) { return self.migration.name; })
      .def_prop_ro("engine_role", [](migration_set const& self) { return self.migration.engine_role; })
      .def_prop_ro("application_role",
                   [](migration_set const& self) { return self.migration.application_role; })
      .def_prop_ro("mirror_role", [](migration_set const& self) { return self.migration.mirror_role; })
      .def_prop_ro("nodes", &nodes_list, "The source, then the shards: name, conninfo, replicas.")
      .def_prop_ro("tables", &tables_list)
      .def(
          "conninfo",
          [](migration_set const& self, std::string const& role) {
            return conninfo_as(self.migration.source.conninfo, role);
          },
          nb::arg("role"), "How to reach the source as a role.")
      .def("diff", &diff_list, nb::arg("generation").none(),
           "What these manifests would change in a generation's document, or in none.");
  bind_migration(set);
  bind_rehearsal(set);
  bind_controller(set);
}

}  // namespace shardway::python
