// The journal of steps, the waves and their decisions. From these a new controller learns what a dead one
// left, and finishes or undoes it.
//
// If a transaction is open on the session, every function here joins it; the caller began it with
// `engine_statement`. Otherwise each runs its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shardway/base/ids.hpp"
#include "shardway/base/result.hpp"
#include "shardway/store/session.hpp"

namespace shardway {
inline namespace v0 {

struct journal_entry {
  std::int64_t id{};
  std::string wave{};  ///< empty for a step that belongs to no wave
  std::string step;
  std::string detail;  ///< a JSON object
  std::int64_t token{};
  std::string recorded_at{};  ///< timestamptz, UTC
};

/// Appends a step.
///
/// Errors: `not_leader`.
/// Cost: one round trip.
result<> append_journal(session& catalog, std::int64_t token, std::string_view wave, std::string_view step,
                        std::string_view detail_json = "{}");

/// The newest `limit` entries of a wave, oldest first; with an empty name, of the whole journal.
result<std::vector<journal_entry>> read_journal(session& catalog, std::string_view wave,
                                                std::size_t limit = 1000);

enum class wave_direction : unsigned char { forward, back };
std::string_view name(wave_direction) noexcept;

struct wave_record {
  std::string wave{};  ///< its name, never used again
  std::string group{};
  wave_direction direction{};
  std::vector<slot_range> ranges{};
  epoch before{};
  epoch after{};
  std::string state{};  ///< the wave's own word; "done" and "aborted" are the two ends
  std::int64_t token{};
  std::string started_at{};
  std::string finished_at{};  ///< empty while it runs
  std::string report{};       ///< a JSON document, or empty
};

/// Stores a wave that begins. Errors: `not_leader`; `precondition_failed` if a wave of that name exists.
result<> insert_wave(session& catalog, wave_record const&);

/// Sets the state. The states "done" and "aborted" also set the time of the end. An empty report leaves the
/// one that is there.
///
/// Errors: `not_leader`; `precondition_failed` if there is no such wave.
result<> update_wave(session& catalog, std::int64_t token, std::string_view wave, std::string_view state,
                     std::string_view report_json = {});

/// Nothing if there is no such wave. Errors: `corrupt_data` if the stored wave cannot be read.
result<std::optional<wave_record>> find_wave(session& catalog, std::string_view wave);
/// Oldest first; with an empty group, the waves of all groups.
result<std::vector<wave_record>> list_waves(session& catalog, std::string_view group = {});
result<std::vector<wave_record>> unfinished_waves(session& catalog);

enum class wave_decision : unsigned char { commit, abort };
std::string_view name(wave_decision) noexcept;

/// Writes the decision if there is none, and returns the one that is stored. The first writer decides: the
/// controller or a waiting client. `synchronous_commit` of the session applies: keep it on.
///
/// Errors: `not_leader`, `in_doubt` (read the decision again).
result<wave_decision> decide_wave(session& catalog, std::int64_t token, std::string_view wave,
                                  wave_decision wanted);

/// Nothing if nobody has decided yet.
result<std::optional<wave_decision>> read_decision(session& catalog, std::string_view wave);

}  // namespace v0
}  // namespace shardway
