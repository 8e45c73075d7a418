#include "convert.hpp"

#include <algorithm>
#include <limits>

namespace shardway {
inline namespace v0 {
namespace {

// The enumerations of the file and ours have the same numbers.
static_assert(int{files::SHARDED} == int(stage::sharded) && int{files::FINALIZED} == int(stage::finalized));
static_assert(int{files::Table::REFERENCE} == int(table_kind::reference) && int{files::Table::SOURCE_ONLY} == int(trigger_policy::source_only));
static_assert(int{files::DualWrite::ASYNC} == int(dual_write_mode::async));
static_assert(int{files::Ids::INTERLEAVED} == int(id_strategy_kind::interleaved));

template <class Repeated>
std::vector<std::string> strings(Repeated const& from) {
  return {from.begin(), from.end()};
}

files::Node to_message(node_definition const& node) {
  files::Node message;
  message.set_name(node.name);
  message.set_conninfo(node.conninfo);
  for (auto const& replica : node.replicas) *message.add_replica() = to_message(replica);
  return message;
}

node_definition from_message(files::Node const& message) {
  node_definition node{message.name(), message.conninfo(), {}};
  for (auto const& replica : message.replica()) node.replicas.push_back(from_message(replica));
  return node;
}

/// A number of milliseconds that no arithmetic on it overflows; the rules then refuse what is out of range.
std::chrono::milliseconds bounded(std::int64_t milliseconds) {
  constexpr std::int64_t far = std::numeric_limits<std::int32_t>::max();
  return std::chrono::milliseconds{std::clamp(milliseconds, -far, far)};
}

}  // namespace

files::Table to_message(table_manifest const& table) {
  files::Table message;
  message.set_api_version(1);
  message.set_table(table.table);
  message.set_group(table.group);
  message.set_kind(static_cast<files::Table::Kind>(table.kind));
  for (auto const& column : table.shard_key) message.add_shard_key(column);
  for (auto const& column : table.key) message.add_key(column);
  message.set_stage_until(static_cast<files::Stage>(table.stage_until));
  message.mutable_dual_write()->set_mode(static_cast<files::DualWrite::Mode>(table.mode));
  message.mutable_dual_write()->set_budget_ms(table.budget.count());
  message.mutable_ids()->set_strategy(static_cast<files::Ids::Strategy>(table.ids));
  message.mutable_ids()->set_stride(table.id_stride);
  for (auto const& name : table.drop_foreign_keys) message.add_drop_foreign_key(name);
  for (auto const& name : table.accept_unique) message.add_accept_unique(name);
  message.set_triggers(static_cast<files::Table::Triggers>(table.triggers));
  return message;
}

table_manifest from_message(files::Table const& message) {
  table_manifest table;
  table.table = message.table();
  table.group = message.group();
  table.kind = static_cast<table_kind>(message.kind());
  table.shard_key = strings(message.shard_key());
  table.key = strings(message.key());
  if (message.has_stage_until()) table.stage_until = static_cast<stage>(message.stage_until());
  table.mode = static_cast<dual_write_mode>(message.dual_write().mode());
  if (message.dual_write().has_budget_ms()) table.budget = bounded(message.dual_write().budget_ms());
  table.ids = static_cast<id_strategy_kind>(message.ids().strategy());
  if (message.ids().has_stride()) table.id_stride = message.ids().stride();
  table.drop_foreign_keys = strings(message.drop_foreign_key());
  table.accept_unique = strings(message.accept_unique());
  table.triggers = static_cast<trigger_policy>(message.triggers());
  return table;
}

files::Migration to_message(migration_manifest const& migration) {
  files::Migration message;
  message.set_api_version(1);
  message.set_name(migration.name);
  *message.mutable_source() = to_message(migration.source);
  for (auto const& shard : migration.shards) *message.add_shard() = to_message(shard);
  message.set_application_role(migration.application_role);
  message.set_engine_role(migration.engine_role);
  message.set_mirror_role(migration.mirror_role);
  return message;
}

migration_manifest from_message(files::Migration const& message) {
  migration_manifest migration;
  migration.name = message.name();
  migration.source = from_message(message.source());
  for (auto const& shard : message.shard()) migration.shards.push_back(from_message(shard));
  migration.application_role = message.application_role();
  migration.engine_role = message.engine_role();
  migration.mirror_role = message.mirror_role();
  return migration;
}

}  // namespace v0
}  // namespace shardway
