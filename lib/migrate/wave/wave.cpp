// The steps of a wave, top to bottom. Between them stands why the next one is safe.
#include "shardway/migrate/wave/wave.hpp"

#include <algorithm>
#include <mutex>

#include "lib/migrate/wave/flip.hpp"
#include "lib/migrate/wave/publish.hpp"
#include "lib/protocol/progress.hpp"
#include "lib/store/in_parallel.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/ensure.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/base/test_switch.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/catalog/journal.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::wave;
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A wave in flight.
class wave_run {
 public:
  wave_run(node_sessions const& nodes, generation const& now, wave_plan const& plan, std::int64_t token,
           wave_options const& options)
      : nodes_(nodes), now_(now), plan_(plan), token_(token), options_(options), report_{.plan = plan} {}

  result<wave_report> run() {
    BOOST_OUTCOME_TRYV(begin());
    auto const closed = close_and_drain();
    if (!closed) return undo(closed.error());
    // Until here a waiting client past the deadline may still decide `abort`; whoever writes first decides.
    BOOST_OUTCOME_TRY(auto const decision,
                      decide_wave(*nodes_.source, token_, plan_.wave, wave_decision::commit));
    if (decision == wave_decision::abort)
      return undo(error(error_code::wave_aborted,
                        "a waiting client gave the range back after the deadline of wave " + plan_.wave));
    stop_point("wave_after_commit");
    lap("commit");
    return complete();
  }

  result<wave_report> undo(error const& why) {
    if (why.code() == error_code::not_leader) return why;
    BOOST_OUTCOME_TRY(auto const decision,
                      decide_wave(*nodes_.source, token_, plan_.wave, wave_decision::abort));
    if (decision == wave_decision::commit) return complete();
    report_.why_aborted = why;
    BOOST_OUTCOME_TRYV(journal("abort"));
    stop_point("wave_after_abort");
    // A new epoch: writers that were refused under the old one cannot slip in unseen.
    BOOST_OUTCOME_TRY(auto const opened, forward() ? open_source() : open_shards());
    lap("reopen");
    return finish(opened, "aborted");
  }

  result<wave_report> complete() {
    report_.committed = true;
    BOOST_OUTCOME_TRY(auto const opened, forward() ? open_shards() : open_source());
    stop_point("wave_after_open");
    lap("open");
    return finish(opened, "done");
  }

 private:
  bool forward() const noexcept { return plan_.direction == wave_direction::forward; }

  result<> begin() {
    std::vector<slot_range> ranges;
    for (auto const& range : plan_.ranges) ranges.push_back(range.slots);
    BOOST_OUTCOME_TRYV(insert_wave(*nodes_.source, {.wave = plan_.wave,
                                                    .group = plan_.group,
                                                    .direction = plan_.direction,
                                                    .ranges = std::move(ranges),
                                                    .before = plan_.before,
                                                    .after = plan_.after,
                                                    .state = "switching",
                                                    .token = token_,
                                                    .started_at = {},
                                                    .finished_at = {},
                                                    .report = {}}));
    stop_point("wave_after_journal");
    BOOST_OUTCOME_TRYV(settle());
    started_ = last_ = steady_now();
    return success();
  }

  // What the streams still owe is paid while writers are not waiting: the fence is closed once a marker goes
  // through quickly, or anyway after some tries. Nothing is concluded from these markers.
  result<> settle() {
    for (int tries = 0; tries < 10; ++tries) {
      started_ = steady_now();
      BOOST_OUTCOME_TRYV(write_markers());
      auto const arrived = await_markers();
      markers_.clear();
      if (!arrived && arrived.error().code() != error_code::stall_budget_spent) return arrived;
      if (arrived && steady_now() - started_ < milliseconds{25}) break;
    }
    return success();
  }

  // Steps 2 and 3. The flip is committed before the marker is written, and the marker is what is waited for:
  // every write that the flip let pass is before the marker in commit order, and everything before the marker
  // is on the other side once the marker is.
  result<> close_and_drain() {
    stop_point("wave_before_fence");
    if (guard_off("marker_after_flip")) return drain_before_close();
    BOOST_OUTCOME_TRYV(close());
    stop_point("wave_after_fence");
    lap("fence");
    return write_and_await_markers();
  }

  // The tempting order that loses writes: kept for the test that shows so.
  result<> drain_before_close() {
    BOOST_OUTCOME_TRYV(write_and_await_markers());
    return close();
  }

  result<> write_and_await_markers() {
    BOOST_OUTCOME_TRYV(write_markers());
    stop_point("wave_after_marker");
    lap("marker");
    BOOST_OUTCOME_TRYV(await_markers());
    stop_point("wave_after_drain");
    lap("drain");
    return success();
  }

  milliseconds left() const {
    auto const spent = std::chrono::duration_cast<milliseconds>(steady_now() - started_);
    return std::max(milliseconds{0}, options_.stall_budget - spent);
  }

  result<> close() {
    if (!forward()) {
      auto const shards = involved_shards();
      BOOST_OUTCOME_TRYV(in_parallel(shards.size(), [&](std::size_t i) -> result<bool> {
        BOOST_OUTCOME_TRYV(close_on(*nodes_.shards[shards[i].value()], ranges_of(shards[i])));
        return true;
      }));
      return success();
    }
    std::vector<slot_range> all;
    for (auto const& range : plan_.ranges) all.push_back(range.slots);
    return close_on(*nodes_.source, all);
  }

  result<> close_on(session& node, std::vector<slot_range> const& ranges) {
    std::vector<flip_change> changes;
    BOOST_OUTCOME_TRY(auto const fence, read_fence(node, plan_.group));
    for (auto const& part : cut_by_fence(fence, ranges)) changes.push_back({part.slots, part.epoch, false});
    auto const deadline = left() + options_.deadline_slack;
    flip_request const request{
        .group = plan_.group, .changes = std::move(changes), .wave = plan_.wave, .deadline = deadline};
    return flip(node, request, options_.lock_timeout, steady_now() + left());
  }

  // Nodes are flipped from several threads at once; the report is one.
  result<> flip(session& node, flip_request const& request, milliseconds lock_timeout,
                steady_clock::time_point until) {
    std::vector<std::string> blockers;
    auto const flipped = flip_within(node, request, token_, lock_timeout, until, blockers);
    std::lock_guard const lock(report_mutex_);
    report_.blockers.insert(report_.blockers.end(), blockers.begin(), blockers.end());
    return flipped;
  }

  result<> write_markers() {
    if (forward()) {
      BOOST_OUTCOME_TRY(auto const id, write_marker(*nodes_.source, plan_.wave, token_));
      for (auto const shard : involved_shards())
        markers_.push_back({nodes_.shards[shard.value()], std::string(names::source_stream), id});
      return success();
    }
    for (auto const shard : involved_shards()) {
      BOOST_OUTCOME_TRY(auto const id, write_marker(*nodes_.shards[shard.value()], plan_.wave, token_));
      markers_.push_back({nodes_.source, now_.migration.shards[shard.value()].name, id});
    }
    return success();
  }

  // "Passed" is what the other side's own database says, never a position sampled here.
  result<> await_markers() {
    // Back, every marker is awaited on the source's one session; forward, each on a shard's own.
    if (!forward()) {
      for (auto const& marker : markers_) {
        BOOST_OUTCOME_TRYV(await_marker(*marker.node, marker.stream, marker.id, steady_now() + left()));
      }
      return success();
    }
    BOOST_OUTCOME_TRYV(in_parallel(markers_.size(), [&](std::size_t i) -> result<bool> {
      BOOST_OUTCOME_TRYV(
          await_marker(*markers_[i].node, markers_[i].stream, markers_[i].id, steady_now() + left()));
      return true;
    }));
    return success();
  }

  // All at once: writers of every range wait for the last of them.
  result<std::vector<opening>> open_shards() {
    auto const shards = involved_shards();
    return in_parallel(shards.size(), [&](std::size_t i) -> result<opening> {
      BOOST_OUTCOME_TRY(auto const at, open_on(*nodes_.shards[shards[i].value()], ranges_of(shards[i])));
      stop_point("wave_after_one_open");
      return opening{shards[i], at};
    });
  }

  result<std::vector<opening>> open_source() {
    std::vector<slot_range> all;
    for (auto const& range : plan_.ranges) all.push_back(range.slots);
    BOOST_OUTCOME_TRY(auto const at, open_on(*nodes_.source, all));
    return std::vector<opening>{{std::nullopt, at}};
  }

  // A wave without an end may be older than others that had theirs. Undone, it opens only what it closed
  // itself; completed, only what no later wave has had: epochs grow, and `after` is this wave's own (I1).
  bool is_ours(fence_row const& part) const {
    return report_.committed ? part.epoch < plan_.after : part.wave == plan_.wave;
  }

  // Opens what is closed; what is open already (an earlier try, or a client that gave the range back) stays
  // as it is.
  result<lsn> open_on(session& node, std::vector<slot_range> const& ranges) {
    BOOST_OUTCOME_TRY(auto const fence, read_fence(node, plan_.group));
    std::vector<flip_change> changes;
    for (auto const& part : cut_by_fence(fence, ranges))
      if (!part.open && is_ours(part))
        changes.push_back({part.slots,
                           std::max(plan_.after, epoch{static_cast<std::uint16_t>(part.epoch.value() + 1)}),
                           true});
    if (!changes.empty()) {
      flip_request const request{
          .group = plan_.group, .changes = std::move(changes), .wave = {}, .deadline = {}};
      // No writer can hold the lock of a closed range for long; what is tried here must succeed, so it is
      // tried for longer.
      auto const until = steady_now() + std::chrono::seconds{10};
      BOOST_OUTCOME_TRYV(flip(node, request, std::max(options_.lock_timeout, milliseconds{200}), until));
    }
    return current_lsn(node);
  }

  result<wave_report> finish(std::vector<opening> const& opened, std::string_view state) {
    BOOST_OUTCOME_TRY(report_.published, publish_authority(nodes_, now_, plan_.group, opened, token_));
    stop_point("wave_after_publish");
    lap("publish");
    BOOST_OUTCOME_TRYV(update_wave(*nodes_.source, token_, plan_.wave, state, to_json(report_)));
    return std::move(report_);
  }

  result<> journal(std::string_view step) { return append_journal(*nodes_.source, token_, plan_.wave, step); }

  std::vector<shard_id> involved_shards() const {
    std::vector<shard_id> shards;
    for (auto const& range : plan_.ranges)
      if (std::find(shards.begin(), shards.end(), range.shard) == shards.end()) shards.push_back(range.shard);
    return shards;
  }

  std::vector<slot_range> ranges_of(shard_id shard) const {
    std::vector<slot_range> ranges;
    for (auto const& range : plan_.ranges)
      if (range.shard == shard) ranges.push_back(range.slots);
    return ranges;
  }

  void lap(std::string step) {
    auto const now = steady_now();
    report_.steps.push_back(
        {std::move(step), std::chrono::duration_cast<std::chrono::microseconds>(now - last_)});
    last_ = now;
  }

  struct awaited_marker {
    session* node;
    std::string stream;
    std::int64_t id;
  };

  node_sessions const& nodes_;
  generation const& now_;
  wave_plan const& plan_;
  std::int64_t token_;
  wave_options const& options_;
  wave_report report_;
  std::mutex report_mutex_;
  std::vector<awaited_marker> markers_;
  steady_clock::time_point started_{steady_now()};
  steady_clock::time_point last_{steady_now()};
};

}  // namespace

result<wave_report> run_wave(node_sessions const& nodes, generation const& now, wave_plan const& plan,
                             std::int64_t token, wave_options const& options) {
  if (options.lock_timeout.count() <= 0 || options.stall_budget < options.lock_timeout)
    return error(error_code::invalid_argument,
                 "wave options: lock_timeout must be above 0 and stall_budget at least lock_timeout");
  return wave_run(nodes, now, plan, token, options).run();
}

// Decision and fences decide, never what the older controller remembered (K2).
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
    wave_run run(nodes, current, plan, token, options);
    auto outcome = recover(decision) == wave_recovery::complete
                       ? run.complete()
                       : run.undo(error(error_code::wave_aborted,
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
