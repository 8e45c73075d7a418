// A wave: authority for some slots moves in one step, or stays where it was; after a crash the journal says
// which. Keeps I1, I2, I3.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "shardway/base/ids.hpp"
#include "shardway/base/result.hpp"
#include "shardway/catalog/journal.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/migrate/nodes/node_sessions.hpp"

namespace shardway {
inline namespace v0 {

/// Slots of a wave on one shard.
struct shard_slots {
  shard_id shard{};
  slot_range slots{};
  friend bool operator==(shard_slots const&, shard_slots const&) = default;
};

/// A wave that has not begun.
struct wave_plan {
  std::string wave;  ///< unique for ever
  std::string group;
  wave_direction direction{};
  std::vector<shard_slots> ranges;  ///< never empty
  epoch before{};                   ///< the highest epoch of the group on any node when it was planned
  epoch after{};                    ///< before + 1
};

struct wave_options {
  std::chrono::milliseconds lock_timeout{
      50};  ///< one try for the fence; > 0. Short: a queued lock blocks those behind it.
  std::chrono::milliseconds stall_budget{
      1000};  ///< all tries and steps 2 to 4; >= lock_timeout. Spent: authority goes back.
  std::chrono::milliseconds deadline_slack{
      1000};  ///< >= 0: a client may undo the wave this long after the budget, if no controller has
};

/// How long each step took; writers of the range wait from `fence` to `publish`.
struct wave_step_time {
  std::string step;
  std::chrono::microseconds took{};
};

struct wave_report {
  wave_plan plan;
  bool committed{};  ///< false: aborted, authority is where it was
  std::optional<error> why_aborted{};
  std::vector<wave_step_time> steps{};
  std::vector<std::string>
      blockers{};  ///< pid, application and age of those who held the fence, where a try timed out
  generation published{};
};
std::string to_json(wave_report const&);

/// Runs a wave, forward or back. The lines of `lib/migrate/wave/wave.cpp` are the steps of the protocol.
///
/// Preconditions: every gate is green (`wave_gates`); the caller holds the lease with `token`, which stands
/// on every node. Errors: `not_leader` (another controller decides), `node_unreachable` and `connection_lost`
/// (undone or completed by `resume_waves`). A wave that was undone in order is no error: its report says why.
/// Thread safety: not safe on the same sessions. Cost: writers of the range wait from the fence to the
/// publication, and so do reads of the primary; other reads do not.
result<wave_report> run_wave(node_sessions const&, generation const& now, wave_plan const&,
                             std::int64_t token, wave_options const&);

/// Finishes or undoes every wave without an end, as journal, decisions and fences say, and publishes what
/// stands. Preconditions: as `run_wave`, but for the gates. Errors: as `run_wave`; `corrupt_data` (I1).
result<generation> resume_waves(node_sessions const&, generation const& now, std::int64_t token,
                                wave_options const&);

}  // namespace v0
}  // namespace shardway
