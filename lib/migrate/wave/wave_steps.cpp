#include "lib/migrate/wave/wave_steps.hpp"

#include <algorithm>

#include "lib/protocol/progress.hpp"
#include "lib/store/in_parallel.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::wave {

using std::chrono::milliseconds;

wave_steps::wave_steps(node_sessions const& nodes, generation const& current, wave_plan const& plan,
                       std::int64_t token, wave_options const& options)
    : nodes_(nodes),
      current_(current),
      plan_(plan),
      token_(token),
      options_(options),
      report_{.plan = plan},
      started_(steady_now()),
      last_lap_(started_) {}

result<> wave_steps::record() {
  return insert_wave(*nodes_.source, {.wave = plan_.wave,
                                      .group = plan_.group,
                                      .direction = plan_.direction,
                                      .ranges = all_ranges(),
                                      .before = plan_.before,
                                      .after = plan_.after,
                                      .state = "switching",
                                      .token = token_,
                                      .started_at = {},
                                      .finished_at = {},
                                      .report = {}});
}

result<> wave_steps::catch_up() {
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

void wave_steps::start_clock() { started_ = last_lap_ = steady_now(); }

result<> wave_steps::close() {
  if (is_forward()) return close_on(*nodes_.source, all_ranges());
  auto const shards = involved_shards();
  BOOST_OUTCOME_TRYV(in_parallel(shards.size(), [&](std::size_t i) -> result<bool> {
    BOOST_OUTCOME_TRYV(close_on(*nodes_.shards[shards[i].value()], ranges_of(shards[i])));
    return true;
  }));
  return success();
}

result<> wave_steps::close_on(session& node, std::vector<slot_range> const& ranges) {
  std::vector<flip_change> changes;
  BOOST_OUTCOME_TRY(auto const fence, read_fence(node, plan_.group));
  for (auto const& row : cut_by_fence(fence, ranges)) changes.push_back({row.slots, row.epoch, false});
  auto const deadline = left() + options_.deadline_slack;
  flip_request const request{
      .group = plan_.group, .changes = std::move(changes), .wave = plan_.wave, .deadline = deadline};
  return flip(node, request, options_.lock_timeout, steady_now() + left());
}

result<> wave_steps::write_markers() {
  if (is_forward()) {
    BOOST_OUTCOME_TRY(auto const id, write_marker(*nodes_.source, plan_.wave, token_));
    for (auto const shard : involved_shards())
      markers_.push_back({nodes_.shards[shard.value()], std::string(names::source_stream), id});
    return success();
  }
  for (auto const shard : involved_shards()) {
    BOOST_OUTCOME_TRY(auto const id, write_marker(*nodes_.shards[shard.value()], plan_.wave, token_));
    markers_.push_back({nodes_.source, current_.migration.shards[shard.value()].name, id});
  }
  return success();
}

result<> wave_steps::await_markers() {
  auto const await_one = [&](awaited_marker const& marker) {
    return await_marker(*marker.node, marker.stream, marker.id, steady_now() + left());
  };
  // On the way back, every marker is awaited on the source's one session; forward, each on a shard's own.
  if (!is_forward()) {
    for (auto const& marker : markers_) {
      BOOST_OUTCOME_TRYV(await_one(marker));
    }
    return success();
  }
  BOOST_OUTCOME_TRYV(in_parallel(markers_.size(), [&](std::size_t i) -> result<bool> {
    BOOST_OUTCOME_TRYV(await_one(markers_[i]));
    return true;
  }));
  return success();
}

result<wave_decision> wave_steps::decide(wave_decision wanted) {
  return decide_wave(*nodes_.source, token_, plan_.wave, wanted);
}

result<> wave_steps::journal(std::string_view step) {
  return append_journal(*nodes_.source, token_, plan_.wave, step);
}

result<> wave_steps::open_target() { return is_forward() ? open_shards() : open_source(); }
result<> wave_steps::open_origin() { return is_forward() ? open_source() : open_shards(); }

// All at once: writers of every range wait for the last of them.
result<> wave_steps::open_shards() {
  auto const shards = involved_shards();
  BOOST_OUTCOME_TRY(opened_, in_parallel(shards.size(), [&](std::size_t i) -> result<opening> {
                      BOOST_OUTCOME_TRY(auto const position,
                                        open_on(*nodes_.shards[shards[i].value()], ranges_of(shards[i])));
                      stop_point("wave_after_one_open");
                      return opening{shards[i], position};
                    }));
  return success();
}

result<> wave_steps::open_source() {
  BOOST_OUTCOME_TRY(auto const position, open_on(*nodes_.source, all_ranges()));
  opened_ = {{std::nullopt, position}};
  return success();
}

// Opens what is closed. What is open already (an earlier try, or a client that gave the range back) stays as
// it is.
result<lsn> wave_steps::open_on(session& node, std::vector<slot_range> const& ranges) {
  BOOST_OUTCOME_TRY(auto const fence, read_fence(node, plan_.group));
  std::vector<flip_change> changes;
  for (auto const& row : cut_by_fence(fence, ranges))
    if (!row.open && may_open(row))
      changes.push_back(
          {row.slots, std::max(plan_.after, epoch{static_cast<std::uint16_t>(row.epoch.value() + 1)}), true});
  if (!changes.empty()) {
    flip_request const request{
        .group = plan_.group, .changes = std::move(changes), .wave = {}, .deadline = {}};
    // No writer can hold the lock of a closed range for long. This step must succeed, so it tries for longer.
    auto const until = steady_now() + std::chrono::seconds{10};
    BOOST_OUTCOME_TRYV(flip(node, request, std::max(options_.lock_timeout, milliseconds{200}), until));
  }
  return current_lsn(node);
}

// A wave without an end may be older than others that have ended. Undone, it opens only what it closed
// itself; completed, only what no later wave has had: epochs grow, and `after` is this wave's own (I1).
bool wave_steps::may_open(fence_row const& row) const {
  return report_.committed ? row.epoch < plan_.after : row.wave == plan_.wave;
}

// Several threads flip nodes at once, and the report is one.
result<> wave_steps::flip(session& node, flip_request const& request, milliseconds lock_timeout,
                          steady_time until) {
  std::vector<std::string> blockers;
  auto const flipped = flip_within(node, request, token_, lock_timeout, until, blockers);
  std::lock_guard const lock(report_mutex_);
  report_.blockers.insert(report_.blockers.end(), blockers.begin(), blockers.end());
  return flipped;
}

result<wave_report> wave_steps::publish(std::string_view end_state) {
  BOOST_OUTCOME_TRY(report_.published, publish_authority(nodes_, current_, plan_.group, opened_, token_));
  stop_point("wave_after_publish");
  lap("publish");
  BOOST_OUTCOME_TRYV(update_wave(*nodes_.source, token_, plan_.wave, end_state, to_json(report_)));
  return std::move(report_);
}

void wave_steps::lap(std::string step) {
  auto const now = steady_now();
  report_.steps.push_back(
      {std::move(step), std::chrono::duration_cast<std::chrono::microseconds>(now - last_lap_)});
  last_lap_ = now;
}

milliseconds wave_steps::left() const {
  auto const spent = std::chrono::duration_cast<milliseconds>(steady_now() - started_);
  return std::max(milliseconds{0}, options_.stall_budget - spent);
}

std::vector<slot_range> wave_steps::all_ranges() const {
  std::vector<slot_range> ranges;
  for (auto const& range : plan_.ranges) ranges.push_back(range.slots);
  return ranges;
}

std::vector<slot_range> wave_steps::ranges_of(shard_id shard) const {
  std::vector<slot_range> ranges;
  for (auto const& range : plan_.ranges)
    if (range.shard == shard) ranges.push_back(range.slots);
  return ranges;
}

std::vector<shard_id> wave_steps::involved_shards() const {
  std::vector<shard_id> shards;
  for (auto const& range : plan_.ranges)
    if (std::find(shards.begin(), shards.end(), range.shard) == shards.end()) shards.push_back(range.shard);
  return shards;
}

}  // namespace migrate::wave
}  // namespace v0
}  // namespace shardway
