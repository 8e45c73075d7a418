#include "lib/migrate/controller/engine_host.hpp"

#include <algorithm>

#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

bool needs_mirrors(generation const& current) {
  return std::any_of(current.groups.begin(), current.groups.end(), [](group_state const& state) {
    return state.stage == stage::dual_writing || state.stage == stage::sharded;
  });
}

}  // namespace

result<> engine_host::ensure_engine() {
  if (context_.streams) return success();
  auto const& options = context_.options;
  BOOST_OUTCOME_TRY(auto const replication_slot,
                    find_replication_slot(context_.nodes.source(),
                                          names::forward_replication_slot(options.migration.name)));
  if (!replication_slot) return success();
  engine_options const wanted{.nodes = engine_nodes_for(options),
                              .routing = context_.current,
                              .token = context_.token(),
                              .limits = options.limits};
  BOOST_OUTCOME_TRY(context_.streams, engine::start(wanted));
  return ensure_mirrors();
}

result<> engine_host::require_engine() {
  BOOST_OUTCOME_TRYV(ensure_engine());
  if (context_.streams) return success();
  auto const& migration = context_.options.migration;
  return error(error_code::stream_broken,
               "the replication slot " + names::forward_replication_slot(migration.name) + " is gone",
               "take the group back to observing and copy it again")
      .at_node(migration.source.name);
}

result<> engine_host::ensure_mirrors() {
  if (!context_.streams) return success();
  bool const wanted = needs_mirrors(*context_.current);
  for (std::size_t i = 0; i < context_.options.migration.shards.size(); ++i) {
    auto const shard = shard_id{static_cast<std::uint16_t>(i)};
    auto const state = context_.streams->mirror(shard);
    if (wanted && !state.is_running && !state.failure) {
      BOOST_OUTCOME_TRYV(context_.streams->start_mirror(shard));
    }
    if (!wanted && state.is_running) context_.streams->stop_mirror(shard);
  }
  return success();
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
