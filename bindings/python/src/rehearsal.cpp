#include "shardway/migrate/rehearsal/rehearsal.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"
#include "blocking.hpp"
#include "errors.hpp"
#include "migration.hpp"
#include "shardway/catalog/install.hpp"
#include "shardway/pg/connect.hpp"

namespace nb = nanobind;

namespace shardway::python {
namespace {

connect_options place_of(node_definition const& node, std::string const& role) {
  return {.node = node.name,
          .conninfo = conninfo_as(node.conninfo, role),
          .application_name = "shardway-rehearsal"};
}

result<rehearsal_report> rehearse_and_record(migration_set const& self, std::string const& role,
                                             std::string const& group, std::string const& client_programs) {
  BOOST_OUTCOME_TRY(auto source, open_node(self.migration.source, role));
  BOOST_OUTCOME_TRY(auto const version, installed_schema_version(*source));
  if (version == 0)
    return error{error_code::precondition_failed,
                 "shardway is not installed on the source, so a rehearsal could not be recorded",
                 "shardway manifest apply"};
  rehearsal_options options;
  options.client_programs = client_programs;
  options.nodes.source = place_of(self.migration.source, role);
  for (auto const& shard : self.migration.shards) options.nodes.shards.push_back(place_of(shard, role));
  BOOST_OUTCOME_TRY(auto report, run_rehearsal(self.migration, self.tables, group, options));
  BOOST_OUTCOME_TRYV(record_rehearsal(*source, report));
  return report;
}

nb::list problems_of(rehearsal_report const& report) {
  nb::list all;
  for (auto const& problem : report.problems) {
    nb::dict one;
    one["shard"] = problem.shard;
    one["step"] = problem.step;
    one["object"] = problem.object;
    one["what"] = problem.what;
    one["fix"] = problem.fix;
    all.append(one);
  }
  return all;
}

nb::list tables_of(rehearsal_report const& report) {
  nb::list all;
  for (auto const& table : report.tables) {
    nb::dict one;
    one["shard"] = table.shard;
    one["table"] = table.table;
    one["rows"] = table.rows;
    one["bytes"] = table.bytes;
    one["copying_us"] = table.copying.count();
    one["changes"] = table.changes;
    one["disk_bytes"] = table.disk_bytes;
    all.append(one);
  }
  return all;
}

nb::dict rehearse(migration_set const& self, std::string const& role, std::string const& group,
                  std::string const& client_programs) {
  auto const report = unwrap(interruptible(
      [&](std::stop_token const&) { return rehearse_and_record(self, role, group, client_programs); }));
  nb::dict one;
  one["group"] = report.group;
  one["passed"] = report.passed();
  one["problems"] = problems_of(report);
  one["tables"] = tables_of(report);
  one["left_out"] = nb::cast(report.left_out);
  one["applying_us"] = report.applying.count();
  one["took_ms"] = report.took.count();
  return one;
}

}  // namespace

void bind_rehearsal(nb::class_<migration_set>& set) {
  set.def(
      "rehearse", &rehearse, nb::arg("role"), nb::arg("group"), nb::arg("client_programs") = "",
      "Makes, copies, plays and compares a group in a scratch database on each shard, records the outcome "
      "in the catalog and returns the report. On the source's tables it only reads.");
}

}  // namespace shardway::python
