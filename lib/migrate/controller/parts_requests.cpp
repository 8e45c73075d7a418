// What the controller does for each kind of request.
#include <algorithm>
#include <cstdlib>

#include "lib/migrate/controller/parts.hpp"
#include "lib/migrate/nodes/json_text.hpp"
#include "lib/migrate/onboard/capture.hpp"
#include "lib/migrate/onboard/guard.hpp"
#include "lib/migrate/onboard/join.hpp"
#include "lib/migrate/onboard/leave.hpp"
#include "lib/migrate/wave/flip.hpp"
#include "lib/migrate/wave/publish.hpp"
#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/base/write_id.hpp"
#include "shardway/catalog/audit.hpp"
#include "shardway/catalog/certificate.hpp"
#include "shardway/catalog/journal.hpp"
#include "shardway/migrate/verify/reconcile.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::control;
namespace {

std::string verdict_json(table_verdict const& found) {
  auto const named = nodes::json_array(found.rows_named, [](row_difference const& row) {
    return nodes::json_object()
        .text("kind", name(row.kind))
        .text("node", row.node)
        .text("key_digest", row.key_digest)
        .str();
  });
  return nodes::json_object()
      .text("relation", found.relation)
      .text("verdict", name(found.found))
      .number("rows", found.rows)
      .number("rechecked", found.rechecked)
      .number("differing", found.differing)
      .text("as_of", found.as_of.to_string())
      .raw("rows_named", named)
      .str();
}

result<> certify(session& catalog, std::int64_t token, std::string const& group,
                 std::vector<table_verdict> const& verdicts) {
  for (auto const& found : verdicts) {
    BOOST_OUTCOME_TRYV(insert_certificate(catalog, token,
                                          {.id = 0,
                                           .group = group,
                                           .relation = found.relation,
                                           .found = found.found,
                                           .row_count = found.rows,
                                           .as_of = found.as_of,
                                           .detail = nodes::json_object()
                                                         .number("differing", found.differing)
                                                         .number("rechecked", found.rechecked)
                                                         .str(),
                                           .started_at = found.started_at,
                                           .recorded_at = {}}));
  }
  return success();
}

std::string wave_name(std::string const& group) { return group + "-" + write_id::make().to_string(); }

}  // namespace

result<std::string> controller::parts::argument(request const& asked, std::string const& name) {
  BOOST_OUTCOME_TRY(auto const answer, nodes.source().query({.sql = "SELECT $1::jsonb ->> $2::text",
                                                             .parameters = {asked.arguments, name}}));
  return std::string(answer.text(0, 0));
}

result<> controller::parts::serve_request(request const& asked) {
  auto answered = answer(asked);
  if (!answered) {
    if (answered.error().code() == error_code::not_leader) return answered.error();
    unreported.emplace(asked.id, answered.error());
  }
  BOOST_OUTCOME_TRYV(nodes.refresh());  // what failed may have broken a session
  if (unreported) return report_failure(asked.id, answered.error());
  if (asked.kind == "advance") return success();  // finished by `advance_goals`
  return finish_request(nodes.source(), token(), asked.id, answered.value());
}

result<> controller::parts::report_failure(std::int64_t request_id, error const& why) {
  BOOST_OUTCOME_TRYV(fail_request(nodes.source(), token(), request_id, why));
  unreported.reset();
  return success();
}

result<> controller::parts::end_waves() {
  BOOST_OUTCOME_TRY(auto ended, resume_waves(nodes.sessions(), *now, token(), options.waves));
  has_unended_wave = false;
  if (ended == *now) return success();
  now = std::make_shared<generation const>(std::move(ended));
  if (streams) streams->update_generation(now);
  return success();
}

result<std::string> controller::parts::answer(request const& asked) {
  BOOST_OUTCOME_TRY(auto const group_name, argument(asked, "group"));
  BOOST_OUTCOME_TRYV(append_audit(nodes.source(), asked.requested_by, asked.kind, asked.arguments));
  if (asked.kind == "apply") return serve_apply(asked);
  if (asked.kind == "lookup") return serve_lookup(asked);
  if (asked.kind == "pause" || asked.kind == "resume") {
    if (streams && asked.kind == "pause") streams->pause_copy();
    if (streams && asked.kind == "resume") streams->resume_copy();
    return std::string("{}");
  }
  BOOST_OUTCOME_TRY(auto const state, group(group_name));
  if (asked.kind == "advance") {
    BOOST_OUTCOME_TRY(auto const to, argument(asked, "to"));
    auto const wanted = stage_from_name(to);
    if (!wanted || *wanted < stage::copying || *wanted > stage::dual_writing)
      return error(error_code::invalid_argument,
                   "advance goes to copying, replicating or dual_writing, not to " + to,
                   "waves move authority: shardway wave run");
    auto const older = goals.find(group_name);
    if (older != goals.end()) {
      BOOST_OUTCOME_TRYV(fail_request(
          nodes.source(), token(), older->second.request,
          error(error_code::cancelled, "a newer request for group " + group_name + " has taken its place")));
    }
    goals[group_name] = {.request = asked.id, .to = *wanted};
    // Asking again is how a copy that failed goes on.
    if (streams && state.stage == stage::copying && streams->copy_state(group_name).failure &&
        !streams->copy_state(group_name).is_running) {
      BOOST_OUTCOME_TRYV(streams->start_copy(group_name));
    }
    return std::string("{}");
  }
  if (asked.kind == "guard") {
    BOOST_OUTCOME_TRY(auto const mode, argument(asked, "mode"));
    return serve_guard(group_name, mode);
  }
  if (asked.kind == "verify") return serve_verify(group_name, false);
  if (asked.kind == "reconcile") return serve_verify(group_name, true);
  if (asked.kind == "gates") return serve_gates(group_name);
  if (asked.kind == "wave") return serve_wave(asked, wave_direction::forward);
  if (asked.kind == "rollback") return serve_wave(asked, wave_direction::back);
  if (asked.kind == "finalize") {
    BOOST_OUTCOME_TRY(auto const approved_by, argument(asked, "approved_by"));
    if (approved_by.empty())
      return error(error_code::gate_red, "finalizing is refused: nobody has approved it", "give approved_by");
    return serve_finalize(group_name);
  }
  return error(error_code::invalid_argument, "unknown kind of request " + asked.kind);
}

namespace {

error without_engine(std::string const& group) {
  return error(error_code::precondition_failed, "group " + group + " has not begun to copy: no stream runs",
               "shardway migrate advance --group " + group + " --to copying");
}

}  // namespace

result<std::string> controller::parts::serve_gates(std::string const& name) {
  if (!streams) return without_engine(name);
  auto const sessions = nodes.sessions();
  BOOST_OUTCOME_TRY(auto const gates,
                    wave_gates({sessions, *now, name, options, *streams, token()}, wave_direction::forward));
  return nodes::json_object()
      .boolean("green", require_green(gates).has_value())
      .raw("gates", to_json(gates))
      .str();
}

// Clients tell their generation once a second and streams connect again by themselves: what is red for that
// alone is asked again for a while.
result<> controller::parts::pass_gates(std::string const& name, wave_direction direction) {
  auto const until = steady_now() + options.gate_patience;
  auto const sessions = nodes.sessions();
  for (;;) {
    BOOST_OUTCOME_TRY(auto const gates,
                      wave_gates({sessions, *now, name, options, *streams, token()}, direction));
    auto const passed = require_green(gates);
    bool const may_pass_soon = std::all_of(gates.begin(), gates.end(), [](gate const& one) {
      return one.green || one.name == "clients" || one.name == "stream" || one.name == "mirror";
    });
    if (passed || !may_pass_soon || steady_now() >= until) return passed;
    sleep_for(std::chrono::milliseconds{200});
  }
}

result<std::string> controller::parts::serve_wave(request const& asked, wave_direction direction) {
  BOOST_OUTCOME_TRY(auto const name, argument(asked, "group"));
  BOOST_OUTCOME_TRY(auto const approved_by, argument(asked, "approved_by"));
  if (approved_by.empty())
    return error(error_code::gate_red, "the wave is refused: nobody has approved it", "give approved_by");
  if (!streams) return without_engine(name);
  BOOST_OUTCOME_TRYV(end_waves());
  auto const sessions = nodes.sessions();
  BOOST_OUTCOME_TRYV(pass_gates(name, direction));
  BOOST_OUTCOME_TRY(auto const fences, wave::read_fences(sessions, name));
  wave_plan plan;
  if (direction == wave_direction::forward) {
    BOOST_OUTCOME_TRY(auto const percent, argument(asked, "percent"));
    BOOST_OUTCOME_TRY(
        plan, plan_forward(*now, name, std::strtod(percent.c_str(), nullptr), fences, wave_name(name)));
  } else {
    BOOST_OUTCOME_TRY(auto const shard_name, argument(asked, "shard"));
    std::optional<shard_id> shard;
    for (std::size_t i = 0; i < options.migration.shards.size(); ++i)
      if (options.migration.shards[i].name == shard_name) shard = shard_id{static_cast<std::uint16_t>(i)};
    if (!shard_name.empty() && !shard)
      return error(error_code::invalid_argument, "there is no shard " + shard_name);
    BOOST_OUTCOME_TRY(plan, plan_back(*now, name, shard, fences, wave_name(name)));
  }
  auto ran = run_wave(sessions, *now, plan, token(), options.waves);
  if (!ran && ran.error().code() != error_code::not_leader) {
    // The wave broke off: what stands in journal and fences decides, as after a crash; now, or once every
    // node is back (X7).
    has_unended_wave = true;
    BOOST_OUTCOME_TRYV(nodes.refresh());
    BOOST_OUTCOME_TRYV(end_waves());
  }
  if (!ran) return ran.error();
  now = std::make_shared<generation const>(ran.value().published);
  streams->update_generation(now);
  if (!ran.value().committed)
    return ran.value().why_aborted->while_doing("wave " + plan.wave + " was undone");
  return to_json(ran.value());
}

result<std::string> controller::parts::serve_verify(std::string const& name, bool repair) {
  if (!streams) return without_engine(name);
  BOOST_OUTCOME_TRY(auto const verdicts,
                    verify_group(engine_nodes_for(options), *now, name, options.verification));
  BOOST_OUTCOME_TRYV(nodes.refresh());
  BOOST_OUTCOME_TRYV(certify(nodes.source(), token(), name, verdicts));
  nodes::json_object document;
  document.raw("tables", nodes::json_array(verdicts, verdict_json));
  if (repair) {
    BOOST_OUTCOME_TRY(auto const repairs, reconcile_group(engine_nodes_for(options), *now, name, verdicts,
                                                          token(), options.verification));
    document.raw("repairs", nodes::json_array(repairs, [](repair_report const& one) {
                   return nodes::json_object()
                       .text("relation", one.relation)
                       .text("node", one.node)
                       .text("kind", one.kind)
                       .text("key_digest", one.key_digest)
                       .str();
                 }));
  }
  bool equal = true;
  for (auto const& found : verdicts) equal = equal && found.found == verdict::equal;
  return document.boolean("equal", equal).str();
}

result<std::string> controller::parts::serve_guard(std::string const& name, std::string const& mode) {
  if (mode != "refusing")
    return error(error_code::invalid_argument,
                 "mode must be refusing: recording begins with the stage copying");
  BOOST_OUTCOME_TRYV(onboard::refuse_foreign_writers(nodes.all_nodes(), tables_of(name), onboarding()));
  return std::string("{\"mode\": \"refusing\"}");
}

// What the shards had committed until now is on the source before the mirror lets the group go: consumers of
// the source see a whole copy. Where a controller died after that, nothing feeds the mirror any more: it is
// not waited for again.
result<> controller::parts::drain_mirrors(std::string const& name) {
  if (!streams) return success();
  BOOST_OUTCOME_TRY(auto const drained,
                    nodes.source().query({.sql = "SELECT 1 FROM shardway.journal WHERE step = "
                                                 "'mirrors_drained' AND detail ->> 'group' = $1 LIMIT 1",
                                          .parameters = {name}}));
  auto const until = steady_now() + std::chrono::seconds{10};
  auto const sessions = nodes.sessions();
  for (std::size_t i = 0; i < sessions.shards.size(); ++i) {
    BOOST_OUTCOME_TRY(auto const feed,
                      find_replication_slot(*sessions.shards[i],
                                            names::reverse_replication_slot(
                                                options.migration.name, options.migration.shards[i].name)));
    if (!feed && !drained.empty()) continue;
    BOOST_OUTCOME_TRY(auto const marker, wave::write_marker(*sessions.shards[i], "finalize", token()));
    BOOST_OUTCOME_TRYV(wave::await_marker(*sessions.source, options.migration.shards[i].name, marker, until));
  }
  // The last group takes the replication slots with it: nobody may stream from them then.
  auto const live = std::count_if(now->groups.begin(), now->groups.end(), [](group_state const& state) {
    return state.stage == stage::dual_writing || state.stage == stage::sharded;
  });
  for (std::size_t i = 0; live == 1 && i < sessions.shards.size(); ++i)
    streams->stop_mirror(shard_id{static_cast<std::uint16_t>(i)});
  return append_journal(nodes.source(), token(), "", "mirrors_drained",
                        nodes::json_object().text("group", name).str());
}

result<std::string> controller::parts::serve_finalize(std::string const& name) {
  BOOST_OUTCOME_TRY(auto const state, group(name));
  auto const tables = tables_of(name);
  if (state.stage != stage::finalized) {
    BOOST_OUTCOME_TRYV(let_mirror_go(state, tables));
  }
  // Repeated after a crash: each step does what is left.
  BOOST_OUTCOME_TRYV(
      onboard::leave_publication(nodes.source_node(), options.migration, tables, onboarding()));
  for (auto const& shard : nodes.shard_nodes()) {
    BOOST_OUTCOME_TRYV(onboard::drop_shard_helpers(shard, tables, onboarding()));
  }
  // On shards they stay: they compare shard keys of what is not framed.
  BOOST_OUTCOME_TRYV(onboard::drop_capture(nodes.source_node(), tables, onboarding()));
  return std::string("{\"stage\": \"finalized\"}");
}

// From here on there is no way back.
result<> controller::parts::let_mirror_go(group_state const& state, std::vector<table_state> const& tables) {
  auto const& name = state.name;
  for (auto const& range : state.authority)
    if (!range.shard)
      return error(error_code::precondition_failed, "group " + name + " still has slots on the source",
                   "shardway wave run --group " + name + " --percent 100");
  BOOST_OUTCOME_TRYV(drain_mirrors(name));
  for (auto const& shard : nodes.shard_nodes()) {
    BOOST_OUTCOME_TRYV(onboard::drop_reverse(shard, options.migration, tables, onboarding()));
  }
  stop_point("finalize_after_reverse");
  return set_stage(name, stage::finalized);
}

}  // namespace v0
}  // namespace shardway
