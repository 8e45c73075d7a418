// The protocol of a wave, top to bottom. Between the steps stands why the next one is safe.
#include "shardway/migrate/wave/wave.hpp"

#include "lib/migrate/wave/plan.hpp"
#include "lib/migrate/wave/wave_steps.hpp"
#include "lib/migrate/wave/wrong_order.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/base/test_switch.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::wave;
namespace {

// The side that had authority closes, then everything that it let pass reaches the other side. The flip is
// committed before the marker is written, and the wave waits for the marker: every write that the fence let
// pass stands before the marker in commit order, and everything before the marker is on the other side once
// the marker is.
result<> close_and_drain(wave_steps& steps) {
  stop_point("wave_before_fence");
  BOOST_OUTCOME_TRYV(steps.close());
  stop_point("wave_after_fence");
  steps.lap("fence");
  BOOST_OUTCOME_TRYV(steps.write_markers());
  stop_point("wave_after_marker");
  steps.lap("marker");
  BOOST_OUTCOME_TRYV(steps.await_markers());
  stop_point("wave_after_drain");
  steps.lap("drain");
  return success();
}

// The decision stands: authority is where it goes, whatever happens from here on.
result<wave_report> complete(wave_steps& steps) {
  steps.report().committed = true;
  BOOST_OUTCOME_TRYV(steps.open_target());
  stop_point("wave_after_open");
  steps.lap("open");
  return steps.publish("done");
}

// Authority stays where it was, unless a decision to commit stands already.
result<wave_report> undo(wave_steps& steps, error const& why) {
  if (why.code() == error_code::not_leader) return why;
  BOOST_OUTCOME_TRY(auto const decision, steps.decide(wave_decision::abort));
  if (decision == wave_decision::commit) return complete(steps);
  steps.report().why_aborted = why;
  BOOST_OUTCOME_TRYV(steps.journal("abort"));
  stop_point("wave_after_abort");
  // Under a new epoch: a writer that was refused under the old one cannot slip in unseen.
  BOOST_OUTCOME_TRYV(steps.open_origin());
  steps.lap("reopen");
  return steps.publish("aborted");
}

result<wave_report> run(wave_steps& steps) {
  // From here on a new controller finds the wave and ends it.
  BOOST_OUTCOME_TRYV(steps.record());
  stop_point("wave_after_journal");
  // Writers do not wait yet.
  BOOST_OUTCOME_TRYV(steps.catch_up());
  steps.start_clock();
  // Writers of the range wait from here to the publication.
  auto const drained = guard_off("marker_after_flip") ? drain_before_close(steps) : close_and_drain(steps);
  if (!drained) return undo(steps, drained.error());
  // Until here a waiting client past the deadline may decide `abort`. Whoever writes first decides.
  BOOST_OUTCOME_TRY(auto const decision, steps.decide(wave_decision::commit));
  if (decision == wave_decision::abort)
    return undo(
        steps, error(error_code::wave_aborted,
                     "a waiting client gave the range back after the deadline of wave " + steps.plan().wave));
  stop_point("wave_after_commit");
  steps.lap("commit");
  return complete(steps);
}

}  // namespace

result<wave_report> run_wave(node_sessions const& nodes, generation const& current, wave_plan const& plan,
                             std::int64_t token, wave_options const& options) {
  if (options.lock_timeout.count() <= 0 || options.stall_budget < options.lock_timeout)
    return error(error_code::invalid_argument,
                 "wave options: lock_timeout must be above 0 and stall_budget at least lock_timeout");
  wave_steps steps(nodes, current, plan, token, options);
  return run(steps);
}

// Decisions and fences decide, never what the older controller remembered (K2).
result<generation> resume_waves(node_sessions const& nodes, generation const& now, std::int64_t token,
                                wave_options const& options) {
  generation current = now;
  BOOST_OUTCOME_TRY(auto const unfinished, unfinished_waves(*nodes.source));
  for (auto const& record : unfinished) {
    BOOST_OUTCOME_TRY(auto const decision, read_decision(*nodes.source, record.wave));
    wave_plan const plan{.wave = record.wave,
                         .group = record.group,
                         .direction = record.direction,
                         .ranges = ranges_by_shard(current, record.ranges),
                         .before = record.before,
                         .after = record.after};
    wave_steps steps(nodes, current, plan, token, options);
    auto outcome = recover(decision) == wave_recovery::complete
                       ? complete(steps)
                       : undo(steps, error(error_code::wave_aborted,
                                           "wave " + record.wave +
                                               " was undone: its controller ended before the decision"));
    if (!outcome) return outcome.error();
    current = std::move(outcome.value().published);
  }
  // A wave that a client undid leaves fences newer than the generation.
  for (auto const& group : now.groups) {
    BOOST_OUTCOME_TRY(current, publish_authority(nodes, current, group.name, {}, token));
  }
  return current;
}

}  // namespace v0
}  // namespace shardway
