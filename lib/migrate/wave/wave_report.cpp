// What a wave did, as a JSON document.
#include "lib/migrate/nodes/json.hpp"
#include "shardway/migrate/wave/wave.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;

namespace {

std::uint32_t slot_count(wave_plan const& plan) {
  std::uint32_t count = 0;
  for (auto const& range : plan.ranges) count += range.slots.count();
  return count;
}

nodes::json steps_json(std::vector<wave_step_time> const& steps) {
  auto milliseconds = nodes::json::object();
  for (auto const& step : steps) milliseconds[step.step] = static_cast<double>(step.took.count()) / 1000.0;
  return milliseconds;
}

}  // namespace

std::string to_json(wave_report const& report) {
  nodes::json const document{{"wave", report.plan.wave},
                             {"group", report.plan.group},
                             {"direction", name(report.plan.direction)},
                             {"committed", report.committed},
                             {"why_aborted", nodes::failure_json(report.why_aborted)},
                             {"slots", slot_count(report.plan)},
                             {"epoch", report.plan.after.value()},
                             {"generation", report.published.number},
                             {"steps_ms", steps_json(report.steps)},
                             {"blockers", report.blockers}};
  return nodes::to_text(document);
}

}  // namespace v0
}  // namespace shardway
