#include "shardway/migrate/controller/controller.hpp"

#include <memory>
#include <string>
#include <utility>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"
#include "blocking.hpp"
#include "errors.hpp"
#include "lib/migrate/wave/plan.hpp"
#include "lib/migrate/wave/publish.hpp"
#include "migration.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "values.hpp"

namespace nb = nanobind;

namespace shardway::python {
namespace {

controller_options options_for(migration_set const& self, std::string holder, double lease_wait,
                               std::string client_programs) {
  controller_options options;
  options.migration = self.migration;
  options.holder = std::move(holder);
  options.lease_wait = std::chrono::milliseconds{static_cast<std::int64_t>(lease_wait * 1000)};
  options.client_programs = std::move(client_programs);
  return options;
}

nb::dict apply(migration_set const& self, std::string const& holder, double lease_wait,
               std::string const& client_programs) {
  auto const options = options_for(self, holder, lease_wait, client_programs);
  auto const report =
      unwrap(interruptible([&](std::stop_token) { return apply_manifests(options, self.tables); }));
  nb::dict one;
  one["changes"] = nb::cast(report.changes);
  one["generation"] = report.generation;
  return one;
}

/// The controller's life. Ctrl-C is seen in `start` as well, which then ends before anything is served.
void run_controller(migration_set const& self, std::string const& holder, double lease_wait,
                    std::string const& client_programs, nb::object const& on_ready) {
  auto options = options_for(self, holder, lease_wait, client_programs);
  auto running =
      unwrap(interruptible([&](std::stop_token) { return controller::start(std::move(options)); }));
  if (!on_ready.is_none()) on_ready();
  auto const release = [&] { without_lock([&] { running.reset(); }); };
  try {
    unwrap(interruptible([&](std::stop_token stop) { return running->run(stop); }));
  } catch (...) {
    release();
    throw;
  }
  release();
}

/// Sessions of the engine's role on every node.
struct wave_nodes {
  std::vector<std::unique_ptr<session>> owned;
  node_sessions nodes;
};

result<wave_nodes> open_wave_nodes(migration_manifest const& migration, std::string const& role) {
  wave_nodes opened;
  BOOST_OUTCOME_TRY(auto source, open_node(migration.source, role));
  opened.nodes.source = source.get();
  opened.owned.push_back(std::move(source));
  for (auto const& node : migration.shards) {
    BOOST_OUTCOME_TRY(auto shard, open_node(node, role));
    opened.nodes.shards.push_back(shard.get());
    opened.owned.push_back(std::move(shard));
  }
  return opened;
}

struct planned_wave {
  wave_plan plan;
  std::uint64_t generation{};
};

result<planned_wave> read_plan(migration_set const& self, std::string const& role, std::string const& group,
                               std::optional<double> percent, std::optional<std::string> const& shard) {
  BOOST_OUTCOME_TRY(auto opened, open_wave_nodes(self.migration, role));
  BOOST_OUTCOME_TRY(auto now, read_newest_generation(*opened.nodes.source));
  if (!now)
    return error{error_code::precondition_failed, "no generation is published",
                 "run `shardway manifest apply`"};
  if (now->find_group(group) == nullptr)
    return error{error_code::invalid_argument, "there is no group " + group,
                 "groups are listed by `shardway migrate status`"};
  if (now->find_group(group)->stage == stage::observing)
    return error{error_code::precondition_failed,
                 "group " + group + " is at stage observing: it has no fences yet",
                 "shardway migrate advance --group " + group + " --to dual_writing"};
  BOOST_OUTCOME_TRY(auto fences, migrate::wave::read_fences(opened.nodes, group));
  if (percent) {
    BOOST_OUTCOME_TRY(auto plan, plan_forward(*now, group, *percent, fences, "dry-run"));
    return planned_wave{std::move(plan), now->number};
  }
  std::optional<shard_id> only;
  for (std::size_t i = 0; shard && i < self.migration.shards.size(); ++i)
    if (self.migration.shards[i].name == *shard) only = shard_id{static_cast<std::uint16_t>(i)};
  if (shard && !only)
    return error{error_code::invalid_argument, "there is no shard " + *shard,
                 "give a name from migration.txtpb"};
  BOOST_OUTCOME_TRY(auto plan, plan_back(*now, group, only, fences, "dry-run"));
  return planned_wave{std::move(plan), now->number};
}

nb::dict plan_wave(migration_set const& self, std::string const& role, std::string const& group,
                   std::optional<double> percent, std::optional<std::string> const& shard) {
  auto const planned =
      unwrap(interruptible([&](std::stop_token) { return read_plan(self, role, group, percent, shard); }));
  nb::dict one;
  one["group"] = group;
  one["direction"] = name(planned.plan.direction);
  one["generation"] = planned.generation;
  one["epoch_before"] = planned.plan.before.value();
  one["epoch_after"] = planned.plan.after.value();
  nb::list ranges;
  std::uint32_t slots = 0;
  for (auto const& from : planned.plan.ranges) {
    nb::dict range;
    range["shard"] = from.shard.value() < self.migration.shards.size()
                         ? self.migration.shards[from.shard.value()].name
                         : std::string{};
    range["slots"] = nb::make_tuple(from.slots.first.value(), from.slots.last.value());
    slots += from.slots.count();
    ranges.append(range);
  }
  one["ranges"] = ranges;
  one["slots"] = slots;
  return one;
}

}  // namespace

void bind_controller(nb::class_<migration_set>& set) {
  set.def("apply", &apply, nb::arg("holder"), nb::arg("lease_wait") = 0.0, nb::arg("client_programs") = "",
          "Installs shardway on every node and publishes the generation that these manifests describe: "
          "changes "
          "and generation. Fails with lease_held while a controller runs.")
      .def("run_controller", &run_controller, nb::arg("holder"), nb::arg("lease_wait") = 15.0,
           nb::arg("client_programs") = "", nb::arg("on_ready") = nb::none(),
           "Runs the controller until a signal handler raises (Ctrl-C), then stops it and raises. Calls "
           "`on_ready` "
           "once, when the controller serves requests. lease_wait is in seconds.")
      .def("plan_wave", &plan_wave, nb::arg("role"), nb::arg("group"), nb::arg("percent") = nb::none(),
           nb::arg("shard") = nb::none(),
           "The slots that a wave would move: forward with `percent`, back without. Only reads.");
}

}  // namespace shardway::python
