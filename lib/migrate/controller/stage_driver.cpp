#include "lib/migrate/controller/stage_driver.hpp"

#include "lib/catalog/guarded.hpp"
#include "lib/catalog/rehearsal_record.hpp"
#include "lib/migrate/controller/doctor.hpp"
#include "lib/migrate/controller/group_rules.hpp"
#include "lib/migrate/lookup/tables.hpp"
#include "lib/migrate/nodes/json.hpp"
#include "lib/migrate/onboard/capture.hpp"
#include "lib/migrate/onboard/finish.hpp"
#include "lib/migrate/onboard/follow_shape.hpp"
#include "lib/migrate/onboard/ids.hpp"
#include "lib/migrate/onboard/join.hpp"
#include "lib/migrate/onboard/schema.hpp"
#include "lib/migrate/onboard/source_checks.hpp"
#include "lib/migrate/onboard/table_shape.hpp"
#include "lib/store/text_array.hpp"
#include "shardway/base/stop_point.hpp"
#include "shardway/catalog/request.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

bool is_copied(generation const& current, table_state const& table) {
  auto const* group = current.find_group(table.manifest.group);
  return group && group->stage >= stage::replicating;
}

// A finalized group is left as it is.
std::vector<table_state> tables_of_copied_groups(generation const& current) {
  std::vector<table_state> tables;
  for (auto const& table : current.tables)
    if (is_copied(current, table) && current.find_group(table.manifest.group)->stage != stage::finalized)
      tables.push_back(table);
  return tables;
}

// Tables whose rows the shards have, those of the group that has just been copied among them.
std::vector<std::string> copied_tables(generation const& current, std::string const& group) {
  std::vector<std::string> names;
  for (auto const& table : current.tables)
    if (table.manifest.group == group || is_copied(current, table)) names.push_back(table.manifest.table);
  return names;
}

// The notes of an earlier copy whose changes were let go: the copy that begins now holds them.
result<> forget_pauses(session& shard, std::vector<table_state> const& tables, std::int64_t token) {
  std::vector<std::string> relations;
  for (auto const& table : tables) relations.push_back(table.manifest.table);
  BOOST_OUTCOME_TRYV(
      run_guarded(shard, token,
                  {{"DELETE FROM shardway.parked WHERE stream = 'paused' AND relation = ANY ($1::text[])",
                    {text_array(relations)}}}));
  return success();
}

}  // namespace

result<> stage_driver::set_goal(std::int64_t request_id, group_state const& group, stage wanted) {
  if (group.stage > stage::observing && group.stage < wanted) {  // at observing the first step asks at once
    BOOST_OUTCOME_TRYV(require_healthy(context_, group.name));
  }
  BOOST_OUTCOME_TRYV(
      cancel_goal(group.name, "a newer request for group " + group.name + " has taken its place"));
  goals_[group.name] = {.request = request_id, .wanted = wanted};
  // Asking again is how a copy that failed continues.
  auto* streams = context_.streams.get();
  if (!streams || group.stage != stage::copying) return success();
  auto const copy = streams->copy_state(group.name);
  if (copy.failure && !copy.is_running) return streams->start_copy(group.name);
  return success();
}

result<> stage_driver::cancel_goal(std::string const& group, std::string_view why) {
  auto const goal = goals_.find(group);
  if (goal == goals_.end()) return success();
  BOOST_OUTCOME_TRYV(fail_request(context_.nodes.source(), context_.token(), goal->second.request,
                                  error(error_code::cancelled, std::string(why))));
  goals_.erase(goal);
  return success();
}

result<> stage_driver::advance_goals() {
  for (auto goal = goals_.begin(); goal != goals_.end();) {
    auto const& [name, asked] = *goal;
    auto const stepped = advance_one_stage(name, asked.wanted);
    BOOST_OUTCOME_TRYV(context_.nodes.refresh());
    if (!stepped) {
      if (stepped.error().code() == error_code::not_leader) return stepped.error();
      BOOST_OUTCOME_TRYV(
          fail_request(context_.nodes.source(), context_.token(), asked.request, stepped.error()));
      goal = goals_.erase(goal);
      continue;
    }
    BOOST_OUTCOME_TRY(auto const state, context_.group(name));
    if (state.stage < asked.wanted) {
      ++goal;
      continue;
    }
    nodes::json const document{{"stage", shardway::name(state.stage)}};
    BOOST_OUTCOME_TRYV(
        finish_request(context_.nodes.source(), context_.token(), asked.request, nodes::to_text(document)));
    goal = goals_.erase(goal);
  }
  return success();
}

result<> stage_driver::advance_one_stage(std::string const& name, stage wanted) {
  BOOST_OUTCOME_TRY(auto const state, context_.group(name));
  if (state.stage >= wanted) return success();
  for (auto const& table : context_.tables_of(name))
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

// One shape before each step: what differs is named, and nothing is changed (AS19).
result<> stage_driver::refuse_drift(std::string const& group) const {
  BOOST_OUTCOME_TRY(auto drift, read_drift(context_.nodes.sessions(), *context_.current, {group}));
  if (context_.streams) add_paused_groups(drift, context_.streams->paused_groups());
  auto const found = drift.find(group);
  if (found == drift.end() || !found->second.pauses()) return success();
  auto all = found->second.shape;
  all.insert(all.end(), found->second.publication.begin(), found->second.publication.end());
  return onboard::refuse_differences(all);
}

result<> stage_driver::start_copying(std::string const& name) {
  BOOST_OUTCOME_TRYV(refuse_drift(name));
  auto const& migration = context_.options.migration;
  auto const tables = context_.tables_of(name);
  auto const source = context_.nodes.source_node();
  auto const shards = context_.nodes.shard_nodes();
  auto const onboard = context_.onboarding();
  BOOST_OUTCOME_TRY(auto const group, context_.group(name));
  BOOST_OUTCOME_TRYV(require_healthy(context_, name));
  BOOST_OUTCOME_TRYV(onboard::check_replica_identities(*source.node, tables));
  BOOST_OUTCOME_TRYV(onboard::check_reserved_names(*source.node, tables));
  BOOST_OUTCOME_TRYV(onboard::check_id_room(source, shards.size(), tables, onboard));
  if (auto const age_max = context_.options.rehearsal_age_max; age_max.count() > 0) {
    BOOST_OUTCOME_TRYV(require_rehearsal(context_.nodes.source(), name, tables_digest(tables), age_max));
  }
  BOOST_OUTCOME_TRYV(
      onboard::prepare_groups(source, shards, {name}, migration, onboard, first_epoch_of(group)));
  for (auto const& shard : shards) {
    BOOST_OUTCOME_TRYV(onboard::create_schema_on_shard(source, shard, migration, tables, onboard));
  }
  stop_point("onboard_after_schema");
  for (auto const& shard : shards) {
    BOOST_OUTCOME_TRYV(onboard::require_same_shape(*source.node, *shard.node, tables,
                                                   {.shard = shard.name, .finished = false}));
  }
  for (auto const& shard : shards) {
    BOOST_OUTCOME_TRYV(forget_pauses(*shard.node, tables, onboard.token));
  }
  BOOST_OUTCOME_TRYV(onboard::join_publication(source, migration, {name}, tables, onboard));
  BOOST_OUTCOME_TRYV(onboard::raise_capture(source, node_role::source, tables, onboard));
  BOOST_OUTCOME_TRYV(onboard::raise_leaf_truncates(*source.node, tables, onboard));
  BOOST_OUTCOME_TRYV(onboard::prepare_id_blocks(source, tables, onboard));
  stop_point("onboard_after_publication");
  BOOST_OUTCOME_TRYV(context_.set_stage(name, stage::copying));
  BOOST_OUTCOME_TRYV(host_.require_engine());
  return context_.streams->start_copy(name);
}

result<> stage_driver::finish_copying(std::string const& name) {
  BOOST_OUTCOME_TRYV(host_.require_engine());
  auto& streams = *context_.streams;
  if (auto const failed = streams.dispatcher_failure()) return *failed;
  auto const copy = streams.copy_state(name);
  if (copy.failure) return *copy.failure;
  if (!copy.is_complete && !copy.is_running) return streams.start_copy(name);
  if (!copy.is_complete) return success();
  BOOST_OUTCOME_TRYV(refuse_drift(name));
  BOOST_OUTCOME_TRYV(require_healthy(context_, name));
  auto const source = context_.nodes.source_node();
  auto const tables = context_.tables_of(name);
  auto const copied = copied_tables(*context_.current, name);
  auto const waiting = tables_of_copied_groups(*context_.current);
  for (auto const& shard : context_.nodes.shard_nodes()) {
    BOOST_OUTCOME_TRYV(onboard::finish_schema(source, shard, tables, context_.onboarding(), copied));
    BOOST_OUTCOME_TRYV(onboard::complete_foreign_keys(source, shard, waiting, context_.onboarding(), copied));
  }
  return context_.set_stage(name, stage::replicating);
}

result<bool> stage_driver::has_caught_up() const {
  auto const& streams = *context_.streams;
  if (auto const failed = streams.dispatcher_failure()) return *failed;
  for (std::size_t i = 0; i < context_.options.migration.shards.size(); ++i) {
    auto const stream = streams.stream(shard_id{static_cast<std::uint16_t>(i)});
    if (stream.failure) return *stream.failure;
    if (stream.lag_bytes > context_.options.lag_bytes_max) return false;
  }
  return true;
}

result<> stage_driver::start_dual_writing(std::string const& name) {
  BOOST_OUTCOME_TRYV(host_.require_engine());
  BOOST_OUTCOME_TRY(bool const caught_up, has_caught_up());
  if (!caught_up) return success();  // the next turn asks again
  BOOST_OUTCOME_TRYV(refuse_drift(name));
  auto const tables = context_.tables_of(name);
  for (auto const& table : tables)
    if (table.manifest.kind == table_kind::reference)
      return error(error_code::precondition_failed,
                   "group " + name +
                       " holds a reference table: it stays at replicating, under the source's authority");
  BOOST_OUTCOME_TRYV(require_healthy(context_, name));
  BOOST_OUTCOME_TRYV(prepare_dual_writing(name, tables));
  return context_.set_stage(name, stage::dual_writing);
}

result<> stage_driver::prepare_dual_writing(std::string const& name, std::vector<table_state> const& tables) {
  auto const& migration = context_.options.migration;
  auto const source = context_.nodes.source_node();
  auto const shards = context_.nodes.shard_nodes();
  auto const onboard = context_.onboarding();
  BOOST_OUTCOME_TRYV(onboard::prepare_ids(source, shards, tables, onboard));
  BOOST_OUTCOME_TRYV(lookup::prepare_lookups(source, shards, tables, migration, onboard));
  BOOST_OUTCOME_TRYV(onboard::raise_capture(source, node_role::source, tables, onboard));
  for (auto const& shard : shards) {
    BOOST_OUTCOME_TRYV(onboard::raise_capture(shard, node_role::shard, tables, onboard));
    BOOST_OUTCOME_TRYV(onboard::raise_leaf_truncates(*shard.node, tables, onboard));
  }
  // The mirrors begin before the first wave, not with it: making the reverse replication slot waits for old
  // transactions, and the mirror has to prove itself.
  for (auto const& shard : shards) {
    BOOST_OUTCOME_TRYV(onboard::prepare_reverse(shard, migration, {name}, tables, onboard));
  }
  return success();
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
