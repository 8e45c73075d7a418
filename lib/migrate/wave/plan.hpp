// What a wave moves and what its remains mean: decisions without I/O. Keeps I1 and I3.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/protocol/fence.hpp"
#include "shardway/base/result.hpp"
#include "shardway/catalog/journal.hpp"
#include "shardway/manifest/generation.hpp"
#include "shardway/migrate/wave/wave.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::wave {

/// The fences of one group as read from the nodes.
struct group_fences {
  std::vector<fence_row> source;
  std::vector<std::vector<fence_row>> shards;  ///< by shard_id
};

/// The slots that are still the source's of the first `percent` of each shard's slots (cumulative: 10 after 1
/// moves 9 more). Errors: `invalid_argument` (percent outside (0, 100]), `precondition_failed` (nothing left
/// to move), `epoch_overflow`.
result<wave_plan> plan_forward(generation const&, std::string const& group, double percent,
                               group_fences const&, std::string wave);

/// The slots of one shard, or of all, that have moved. Errors: as `plan_forward`.
result<wave_plan> plan_back(generation const&, std::string const& group, std::optional<shard_id> shard,
                            group_fences const&, std::string wave);

/// Highest epoch on any node.
epoch highest_epoch(group_fences const&) noexcept;

/// Authority as the fences say it: the node that is open. A slot that is open nowhere keeps what `before`
/// said. Errors: `corrupt_data` if two nodes are open for one slot (I1), naming group and slot.
result<std::vector<authority_range>> authority_from_fences(group_state const& before, group_fences const&);

/// What the next controller does about a wave that has no end.
enum class wave_recovery : unsigned char {
  undo,      ///< no `commit` stands: write `abort`, open where authority was under a new epoch
  complete,  ///< `commit` stands: open where authority goes
};
constexpr wave_recovery recover(std::optional<wave_decision> decision) noexcept {
  return decision == wave_decision::commit ? wave_recovery::complete : wave_recovery::undo;
}

/// The ranges of a recorded wave by shard, from the placement.
std::vector<shard_slots> ranges_by_shard(generation const&, std::vector<slot_range> const&);

}  // namespace migrate::wave
}  // namespace v0
}  // namespace shardway
