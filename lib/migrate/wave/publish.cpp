#include "lib/migrate/wave/publish.hpp"

#include <iterator>

#include "lib/migrate/wave/flip.hpp"
#include "lib/store/in_parallel.hpp"
#include "shardway/catalog/generation_store.hpp"
#include "shardway/migrate/wave/wave.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::wave {

result<group_fences> read_fences(node_sessions const& nodes, std::string const& group) {
  BOOST_OUTCOME_TRY(auto read, in_parallel(nodes.shards.size() + 1, [&](std::size_t i) {
                      return read_fence(i == 0 ? *nodes.source : *nodes.shards[i - 1], group);
                    }));
  group_fences fences{.source = std::move(read.front()), .shards = {}};
  fences.shards.assign(std::make_move_iterator(read.begin() + 1), std::make_move_iterator(read.end()));
  return fences;
}

namespace {

// The stage follows authority: the first slot on a shard makes it sharded, the last one back makes it
// dual_writing again.
stage stage_after(group_state const& group) {
  if (group.stage != stage::dual_writing && group.stage != stage::sharded) return group.stage;
  for (auto const& range : group.authority)
    if (range.shard) return stage::sharded;
  return stage::dual_writing;
}

}  // namespace

result<generation> publish_authority(node_sessions const& nodes, generation const& now,
                                     std::string const& group, std::vector<opening> const& opened,
                                     std::int64_t token) {
  generation next = now;
  for (auto& state : next.groups) {
    if (state.name != group || state.stage < stage::copying) continue;
    BOOST_OUTCOME_TRY(auto const fences, read_fences(nodes, group));
    BOOST_OUTCOME_TRY(state.authority, authority_from_fences(state, fences));
    for (auto& range : state.authority)
      for (auto const& open : opened)
        if (range.shard == open.node && !range.opened.is_set()) range.opened = open.position;
    state.stage = stage_after(state);
  }
  if (next == now) return next;
  BOOST_OUTCOME_TRY(next.number, next_generation_number(*nodes.source, nodes.shards));
  BOOST_OUTCOME_TRYV(publish_generation(*nodes.source, nodes.shards, next, token));
  return next;
}

}  // namespace migrate::wave
}  // namespace v0
}  // namespace shardway
