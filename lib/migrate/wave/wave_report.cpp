// What a wave did, as a JSON document.
#include "lib/migrate/nodes/json_text.hpp"
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

}  // namespace

std::string to_json(wave_report const& report) {
  nodes::json_object steps;
  for (auto const& step : report.steps)
    steps.real(step.step, static_cast<double>(step.took.count()) / 1000.0);
  nodes::json_object document;
  document.text("wave", report.plan.wave)
      .text("group", report.plan.group)
      .text("direction", name(report.plan.direction));
  document.boolean("committed", report.committed);
  document.raw("why_aborted",
               report.why_aborted ? nodes::json_string(report.why_aborted->to_string()) : "null");
  document.number("slots", slot_count(report.plan)).number("epoch", report.plan.after.value());
  document.number("generation", static_cast<std::int64_t>(report.published.number))
      .raw("steps_ms", steps.str());
  return document
      .raw("blockers",
           nodes::json_array(report.blockers,
                             [](std::string const& blocker) { return nodes::json_string(blocker); }))
      .str();
}

}  // namespace v0
}  // namespace shardway
