// The single steps of a wave. `wave.cpp` puts them in order and says why the order is safe.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lib/migrate/wave/flip.hpp"
#include "lib/migrate/wave/publish.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/migrate/wave/wave.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::wave {

/// A wave in flight: what it moves, its report, and the steps.
///
/// Preconditions of every step: as `run_wave`. Errors of every step: `not_leader`, those of connections, and
/// `stall_budget_spent` where a step waits. Thread safety: not safe. Lifetime: the arguments must outlive it.
class wave_steps {
 public:
  wave_steps(node_sessions const& nodes, generation const& current, wave_plan const& plan, std::int64_t token,
             wave_options const& options);

  /// Writes the wave into the journal.
  result<> record();
  /// Lets the streams catch up before writers wait: markers go through until one is quick, at most ten times.
  /// Nothing is concluded from these markers.
  result<> catch_up();
  /// The stall budget and the times of the report count from here.
  void start_clock();

  /// Closes the fences of the side that has authority now.
  result<> close();
  /// Writes a marker on each node that was closed.
  result<> write_markers();
  /// Waits until the other side's own database says that it has passed every marker.
  result<> await_markers();
  /// The decision that stands: `wanted`, or what a client wrote before.
  result<wave_decision> decide(wave_decision wanted);
  result<> journal(std::string_view step);

  /// Opens the fences of the side where authority goes.
  result<> open_target();
  /// Opens the fences of the side where authority was, under a new epoch.
  result<> open_origin();
  /// Publishes what the fences say, ends the wave in the journal and returns its report.
  result<wave_report> publish(std::string_view end_state);

  /// Adds the time since the last one to the report.
  void lap(std::string step);
  wave_plan const& plan() const noexcept { return plan_; }
  wave_report& report() noexcept { return report_; }

 private:
  struct awaited_marker {
    session* node;
    std::string stream;
    std::int64_t id;
  };

  bool is_forward() const noexcept { return plan_.direction == wave_direction::forward; }
  std::chrono::milliseconds left() const;
  std::vector<slot_range> all_ranges() const;
  std::vector<slot_range> ranges_of(shard_id) const;
  std::vector<shard_id> involved_shards() const;

  result<> close_on(session& node, std::vector<slot_range> const& ranges);
  result<> open_shards();
  result<> open_source();
  result<lsn> open_on(session& node, std::vector<slot_range> const& ranges);
  bool may_open(fence_row const& row) const;
  result<> flip(session& node, flip_request const& request, std::chrono::milliseconds lock_timeout,
                steady_time until);

  node_sessions const& nodes_;
  generation const& current_;
  wave_plan const& plan_;
  std::int64_t token_;
  wave_options const& options_;
  wave_report report_;
  std::mutex report_mutex_{};
  std::vector<awaited_marker> markers_{};
  std::vector<opening> opened_{};
  steady_time started_;
  steady_time last_lap_;
};

}  // namespace migrate::wave
}  // namespace v0
}  // namespace shardway
