// Bringing a group from stage to stage.
#include "lib/migrate/controller/parts.hpp"
#include "lib/migrate/lookup/job.hpp"
#include "lib/migrate/lookup/tables.hpp"
#include "lib/migrate/nodes/json_text.hpp"
#include "lib/migrate/onboard/capture.hpp"
#include "lib/migrate/onboard/finish.hpp"
#include "lib/migrate/onboard/ids.hpp"
#include "lib/migrate/onboard/inspect.hpp"
#include "lib/migrate/onboard/join.hpp"
#include "lib/migrate/onboard/schema.hpp"
#include "shardway/base/stop_point.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::control;

result<> controller::parts::advance_goals() {
  for (auto goal = goals.begin(); goal != goals.end();) {
    auto const& [name, wanted] = *goal;
    auto const stepped = advance_one_stage(name);
    BOOST_OUTCOME_TRYV(nodes.refresh());
    if (!stepped) {
      if (stepped.error().code() == error_code::not_leader) return stepped.error();
      BOOST_OUTCOME_TRYV(fail_request(nodes.source(), token(), wanted.request, stepped.error()));
      goal = goals.erase(goal);
      continue;
    }
    BOOST_OUTCOME_TRY(auto const state, group(name));
    if (state.stage < wanted.to) {
      ++goal;
      continue;
    }
    BOOST_OUTCOME_TRYV(finish_request(nodes.source(), token(), wanted.request,
                                      nodes::json_object().text("stage", shardway::name(state.stage)).str()));
    goal = goals.erase(goal);
  }
  return success();
}

result<> controller::parts::advance_one_stage(std::string const& name) {
  BOOST_OUTCOME_TRY(auto const state, group(name));
  if (state.stage >= goals[name].to) return success();
  for (auto const& table : tables_of(name))
    if (state.stage >= table.manifest.stage_until)
      return error(error_code::precondition_failed,
                   "the manifest of " + table.manifest.table + " ends at stage " +
                       std::string(shardway::name(state.stage)),
                   "raise stage_until in its manifest and apply it");
  switch (state.stage) {
    case stage::observing:
      return start_copying(name);
    case stage::copying:
      return finish_copying(name);
    case stage::replicating:
      return start_dual_writing(name);
    case stage::dual_writing:
    case stage::sharded:
    case stage::finalized:
      return success();
  }
  return success();
}

result<> controller::parts::start_copying(std::string const& name) {
  auto const tables = tables_of(name);
  auto const source = nodes.source_node();
  auto const shards = nodes.shard_nodes();
  auto const onboard = onboarding();
  BOOST_OUTCOME_TRYV(
      onboard::prepare_groups(source, shards, {name}, options.migration.application_role, onboard));
  for (auto const& shard : shards) {
    BOOST_OUTCOME_TRYV(onboard::create_schema_on_shard(source, shard, options.migration, tables, onboard));
  }
  stop_point("onboard_after_schema");
  for (auto const& table : tables)
    for (auto const& shard : shards) {
      BOOST_OUTCOME_TRYV(onboard::compare_schema(*source.node, *shard.node, table));
    }
  BOOST_OUTCOME_TRYV(onboard::join_publication(source, options.migration, {name}, tables, onboard));
  BOOST_OUTCOME_TRYV(onboard::raise_capture(source, node_role::source, tables, onboard));
  BOOST_OUTCOME_TRYV(onboard::prepare_id_blocks(source, tables, onboard));
  stop_point("onboard_after_publication");
  BOOST_OUTCOME_TRYV(set_stage(name, stage::copying));
  BOOST_OUTCOME_TRYV(need_engine());
  return streams->start_copy(name);
}

result<> controller::parts::finish_copying(std::string const& name) {
  BOOST_OUTCOME_TRYV(need_engine());
  if (auto const failed = streams->dispatcher_failure()) return *failed;
  auto const copy = streams->copy_state(name);
  if (copy.failure) return *copy.failure;
  if (!copy.is_complete) {
    if (!copy.is_running) return streams->start_copy(name);
    return success();
  }
  for (auto const& shard : nodes.shard_nodes()) {
    BOOST_OUTCOME_TRYV(onboard::finish_schema(nodes.source_node(), shard, tables_of(name), onboarding()));
  }
  return set_stage(name, stage::replicating);
}

result<> controller::parts::start_dual_writing(std::string const& name) {
  BOOST_OUTCOME_TRYV(need_engine());
  if (auto const failed = streams->dispatcher_failure()) return *failed;
  for (std::size_t i = 0; i < options.migration.shards.size(); ++i) {
    auto const stream = streams->stream(shard_id{static_cast<std::uint16_t>(i)});
    if (stream.failure) return *stream.failure;
    if (stream.lag_bytes > options.lag_bytes_max) return success();  // not yet
  }
  auto const tables = tables_of(name);
  for (auto const& table : tables)
    if (table.manifest.kind == table_kind::reference)
      return error(error_code::precondition_failed,
                   "group " + name +
                       " holds a reference table: it stays at replicating, under the source's authority");
  BOOST_OUTCOME_TRYV(onboard::prepare_ids(nodes.source_node(), nodes.shard_nodes(), tables, onboarding()));
  BOOST_OUTCOME_TRYV(lookup::prepare_lookups(nodes.source_node(), nodes.shard_nodes(), tables,
                                             options.migration.application_role, onboarding()));
  BOOST_OUTCOME_TRYV(onboard::raise_capture(nodes.source_node(), node_role::source, tables, onboarding()));
  for (auto const& shard : nodes.shard_nodes()) {
    BOOST_OUTCOME_TRYV(onboard::raise_capture(shard, node_role::shard, tables, onboarding()));
  }
  // Before the first wave and not with it: the reverse replication slot waits for old transactions, and the
  // mirror has to prove itself.
  for (auto const& shard : nodes.shard_nodes()) {
    BOOST_OUTCOME_TRYV(onboard::prepare_reverse(shard, options.migration, {name}, tables, onboarding()));
  }
  return set_stage(name, stage::dual_writing);
}

}  // namespace v0
}  // namespace shardway
