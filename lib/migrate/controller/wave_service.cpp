#include "lib/migrate/controller/wave_service.hpp"

#include <algorithm>
#include <thread>

#include "lib/migrate/controller/doctor.hpp"
#include "lib/migrate/controller/gates.hpp"
#include "lib/migrate/nodes/json.hpp"
#include "lib/migrate/wave/plan.hpp"
#include "lib/migrate/wave/publish.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/write_id.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

std::string wave_name(std::string const& group) { return group + "-" + write_id::make().to_string(); }

// Clients report their generation once a second, and streams reconnect by themselves.
bool may_turn_green(gate const& one) {
  return one.name == "clients" || one.name == "stream" || one.name == "mirror";
}

result<std::optional<shard_id>> find_shard(migration_manifest const& migration,
                                           std::optional<std::string> const& name) {
  if (!name) return std::optional<shard_id>();
  for (std::size_t i = 0; i < migration.shards.size(); ++i)
    if (migration.shards[i].name == *name) return std::optional(shard_id{static_cast<std::uint16_t>(i)});
  return error(error_code::invalid_argument, "there is no shard " + *name);
}

gate_inputs inputs_for(controller_context const& context, node_sessions const& sessions,
                       std::string const& group, std::vector<finding> const& findings) {
  return {sessions, *context.current, group, context.options, *context.streams, context.token(), findings};
}

// A rollback asks no doctor: it needs the mirror and nothing else.
result<std::vector<finding>> findings_for(controller_context const& context, std::string const& group,
                                          wave_direction direction) {
  if (direction == wave_direction::back) return std::vector<finding>();
  return examine_group(context, group);
}

}  // namespace

result<std::string> wave_service::gates(group_arguments const& asked) const {
  BOOST_OUTCOME_TRYV(context_.group(asked.group));
  if (!context_.streams) return no_stream_error(asked.group);
  auto const sessions = context_.nodes.sessions();
  BOOST_OUTCOME_TRY(auto const findings, examine_group(context_, asked.group));
  BOOST_OUTCOME_TRY(auto const found, wave_gates(inputs_for(context_, sessions, asked.group, findings),
                                                 wave_direction::forward));
  nodes::json const document{{"green", require_green(found).has_value()}, {"gates", to_json(found)}};
  return nodes::to_text(document);
}

result<std::string> wave_service::run_forward(wave_arguments const& asked) {
  BOOST_OUTCOME_TRYV(prepare(asked.group, asked.approved_by, wave_direction::forward));
  BOOST_OUTCOME_TRY(auto const fences, wave::read_fences(context_.nodes.sessions(), asked.group));
  BOOST_OUTCOME_TRY(auto const plan, wave::plan_forward(*context_.current, asked.group, asked.percent, fences,
                                                        wave_name(asked.group)));
  return run(plan);
}

result<std::string> wave_service::run_back(rollback_arguments const& asked) {
  BOOST_OUTCOME_TRY(auto const shard, find_shard(context_.options.migration, asked.shard));
  BOOST_OUTCOME_TRYV(prepare(asked.group, asked.approved_by, wave_direction::back));
  BOOST_OUTCOME_TRY(auto const fences, wave::read_fences(context_.nodes.sessions(), asked.group));
  BOOST_OUTCOME_TRY(auto const plan,
                    wave::plan_back(*context_.current, asked.group, shard, fences, wave_name(asked.group)));
  return run(plan);
}

result<> wave_service::prepare(std::string const& group, std::string const& approved_by,
                               wave_direction direction) {
  BOOST_OUTCOME_TRYV(context_.group(group));
  if (approved_by.empty())
    return error(error_code::gate_red, "the wave is refused: nobody has approved it", "give approved_by");
  if (!context_.streams) return no_stream_error(group);
  BOOST_OUTCOME_TRYV(end_waves());
  return pass_gates(group, direction);
}

// A gate that turns green by itself is asked again for a while.
result<> wave_service::pass_gates(std::string const& group, wave_direction direction) const {
  auto const deadline = steady_now() + context_.options.gate_patience;
  auto const sessions = context_.nodes.sessions();
  BOOST_OUTCOME_TRY(auto const findings, findings_for(context_, group, direction));
  for (;;) {
    BOOST_OUTCOME_TRY(auto const found,
                      wave_gates(inputs_for(context_, sessions, group, findings), direction));
    auto const passed = require_green(found);
    bool const may_pass_soon = std::all_of(found.begin(), found.end(),
                                           [](gate const& one) { return one.green || may_turn_green(one); });
    if (passed || !may_pass_soon || steady_now() >= deadline) return passed;
    sleep_for(std::chrono::milliseconds{200});
  }
}

result<std::string> wave_service::run(wave_plan const& plan) {
  auto ran =
      run_wave(context_.nodes.sessions(), *context_.current, plan, context_.token(), context_.options.waves);
  if (!ran && ran.error().code() != error_code::not_leader) {
    // The wave broke off. As after a crash, journal and fences decide: now, or once every node is back (X7).
    has_unended_wave_ = true;
    BOOST_OUTCOME_TRYV(context_.nodes.refresh());
    BOOST_OUTCOME_TRYV(end_waves());
  }
  if (!ran) return ran.error();
  auto const& report = ran.value();
  context_.adopt(report.published);
  if (!report.committed) return report.why_aborted->while_doing("wave " + plan.wave + " was undone");
  return to_json(report);
}

result<> wave_service::end_waves() {
  BOOST_OUTCOME_TRY(auto ended, resume_waves(context_.nodes.sessions(), *context_.current, context_.token(),
                                             context_.options.waves));
  has_unended_wave_ = false;
  if (ended != *context_.current) context_.adopt(std::move(ended));
  return success();
}

result<> wave_service::end_broken_wave() {
  if (!has_unended_wave_) return success();
  return end_waves();
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
