#include "lib/migrate/controller/finalizer.hpp"

#include <algorithm>

#include "lib/migrate/nodes/json.hpp"
#include "lib/migrate/onboard/capture.hpp"
#include "lib/migrate/onboard/join.hpp"
#include "lib/migrate/onboard/leave.hpp"
#include "lib/migrate/wave/flip.hpp"
#include "lib/pg/replication_slot.hpp"
#include "lib/protocol/names.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/catalog/journal.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

bool is_source_authority_left(group_state const& state) {
  return std::any_of(state.authority.begin(), state.authority.end(),
                     [](authority_range const& range) { return !range.shard; });
}

}  // namespace

result<std::string> finalizer::finalize(finalize_arguments const& asked) {
  BOOST_OUTCOME_TRY(auto const state, context_.group(asked.group));
  if (asked.approved_by.empty())
    return error(error_code::gate_red, "finalizing is refused: nobody has approved it", "give approved_by");
  auto const tables = context_.tables_of(asked.group);
  if (state.stage != stage::finalized) {
    BOOST_OUTCOME_TRYV(end_mirroring(state, tables));
  }
  BOOST_OUTCOME_TRYV(drop_helpers(tables));
  nodes::json const document{{"stage", name(stage::finalized)}};
  return nodes::to_text(document);
}

// After the first reverse publication is dropped, no rollback is possible.
result<> finalizer::end_mirroring(group_state const& state, std::vector<table_state> const& tables) {
  if (is_source_authority_left(state))
    return error(error_code::precondition_failed, "group " + state.name + " still has slots on the source",
                 "shardway wave run --group " + state.name + " --percent 100");
  BOOST_OUTCOME_TRYV(drain_mirrors(state.name));
  for (auto const& shard : context_.nodes.shard_nodes()) {
    BOOST_OUTCOME_TRYV(
        onboard::drop_reverse(shard, context_.options.migration, tables, context_.onboarding()));
  }
  stop_point("finalize_after_reverse");
  return context_.set_stage(state.name, stage::finalized);
}

// What the shards have committed until now must be on the source before the mirror ends, so that consumers of
// the source see a whole copy.
result<> finalizer::drain_mirrors(std::string const& group) {
  if (!context_.streams) return success();
  auto& source = context_.nodes.source();
  BOOST_OUTCOME_TRY(auto const drained,
                    source.query({.sql = "SELECT 1 FROM shardway.journal WHERE step = "
                                         "'mirrors_drained' AND detail ->> 'group' = $1 LIMIT 1",
                                  .parameters = {group}}));
  auto const deadline = steady_now() + std::chrono::seconds{10};
  for (std::size_t i = 0; i < context_.options.migration.shards.size(); ++i) {
    BOOST_OUTCOME_TRYV(await_mirror(i, !drained.empty(), deadline));
  }
  stop_mirrors_of_last_group();
  nodes::json const detail{{"group", group}};
  return append_journal(source, context_.token(), "", "mirrors_drained", nodes::to_text(detail));
}

// If a controller died after the journal's entry, the replication slot may be gone: nothing feeds the mirror.
result<> finalizer::await_mirror(std::size_t shard, bool was_drained, steady_time deadline) {
  auto const& migration = context_.options.migration;
  auto const& name = migration.shards[shard].name;
  auto const sessions = context_.nodes.sessions();
  auto& node = *sessions.shards[shard];
  BOOST_OUTCOME_TRY(auto const replication_slot,
                    find_replication_slot(node, names::reverse_replication_slot(migration.name, name)));
  if (!replication_slot && was_drained) return success();
  BOOST_OUTCOME_TRY(auto const marker, wave::write_marker(node, "finalize", context_.token()));
  return wave::await_marker(*sessions.source, name, marker, deadline);
}

// The last group takes the replication slots with it, so that nothing may stream from them then.
void finalizer::stop_mirrors_of_last_group() {
  auto const& groups = context_.current->groups;
  auto const mirrored = std::count_if(groups.begin(), groups.end(), [](group_state const& state) {
    return state.stage == stage::dual_writing || state.stage == stage::sharded;
  });
  if (mirrored != 1) return;
  for (std::size_t i = 0; i < context_.options.migration.shards.size(); ++i)
    context_.streams->stop_mirror(shard_id{static_cast<std::uint16_t>(i)});
}

result<> finalizer::drop_helpers(std::vector<table_state> const& tables) {
  auto const source = context_.nodes.source_node();
  auto const onboard = context_.onboarding();
  BOOST_OUTCOME_TRYV(onboard::leave_publication(source, context_.options.migration, tables, onboard));
  for (auto const& shard : context_.nodes.shard_nodes()) {
    BOOST_OUTCOME_TRYV(onboard::drop_shard_helpers(shard, tables, onboard));
  }
  // The capture triggers of shards stay: they compare shard keys of statements without a frame.
  return onboard::drop_capture(source, tables, onboard);
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
