#include "lib/manifest/convert.hpp"

#include <algorithm>
#include <limits>

namespace shardway {
inline namespace v0 {
namespace {

// The enumerations of the file and ours have the same numbers.
static_assert(int{files::SHARDED} == int(stage::sharded) && int{files::FINALIZED} == int(stage::finalized));
static_assert(int{files::Table::REFERENCE} == int(table_kind::reference) &&
              int{files::Table::SOURCE_ONLY} == int(trigger_policy::source_only));
static_assert(int{files::DualWrite::ASYNC} == int(dual_write_mode::async));
static_assert(int{files::Ids::INTERLEAVED} == int(id_strategy_kind::interleaved) &&
              int{files::Ids::SLOT} == int(id_strategy_kind::slot));
static_assert(int{files::Table::TRIGGER} == int(capture_kind::trigger));

template <class Repeated>
std::vector<std::string> strings(Repeated const& list) {
  return {list.begin(), list.end()};
}

files::Node to_message(node_definition const& node) {
  files::Node message;
  message.set_name(node.name);
  message.set_conninfo(node.conninfo);
  message.set_pinned_only(node.pinned_only);
  for (auto const& replica : node.replicas) *message.add_replica() = to_message(replica);
  return message;
}

node_definition from_message(files::Node const& message) {
  node_definition node{
      .name = message.name(), .conninfo = message.conninfo(), .pinned_only = message.pinned_only()};
  for (auto const& replica : message.replica()) node.replicas.push_back(from_message(replica));
  return node;
}

/// A number of milliseconds that no arithmetic on it overflows; the rules then refuse what is out of range.
std::chrono::milliseconds bounded(std::int64_t milliseconds) {
  constexpr std::int64_t far = std::numeric_limits<std::int32_t>::max();
  return std::chrono::milliseconds{std::clamp(milliseconds, -far, far)};
}

files::Reads to_message(read_policy const& reads) {
  files::Reads message;
  message.set_scatter(reads.scatter);
  message.set_fan_out_max(reads.fan_out_max);
  message.set_scatter_budget_ms(reads.scatter_budget.count());
  message.set_from_shards_percent(reads.from_shards_percent);
  message.set_shadow_percent(reads.shadow_percent);
  return message;
}

read_policy from_message(files::Reads const& message) {
  read_policy reads;
  reads.scatter = message.scatter();
  if (message.has_fan_out_max()) reads.fan_out_max = message.fan_out_max();
  if (message.has_scatter_budget_ms()) reads.scatter_budget = bounded(message.scatter_budget_ms());
  reads.from_shards_percent = message.from_shards_percent();
  reads.shadow_percent = message.shadow_percent();
  return reads;
}

files::Lookup to_message(lookup_index const& lookup) {
  files::Lookup message;
  message.set_name(lookup.name);
  for (auto const& column : lookup.columns) message.add_column(column);
  message.set_unique(lookup.unique);
  return message;
}

files::Accepted to_message(accepted_finding const& accepted) {
  files::Accepted message;
  message.set_finding(accepted.finding);
  message.set_subject(accepted.subject);
  message.set_reason(accepted.reason);
  return message;
}

template <class Messages>
std::vector<accepted_finding> accepted_of(Messages const& messages) {
  std::vector<accepted_finding> all;
  for (auto const& message : messages)
    all.push_back({message.finding(), message.subject(), message.reason()});
  return all;
}

files::Pin to_message(pinned_key const& pin) {
  files::Pin message;
  for (auto const& type : pin.types) message.add_type(type);
  for (auto const& value : pin.values) message.add_value(value);
  message.set_shard(pin.shard);
  return message;
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
  if (table.ids != id_strategy_kind::external || table.ids_given)
    message.mutable_ids()->set_strategy(static_cast<files::Ids::Strategy>(table.ids));
  message.mutable_ids()->set_stride(table.id_stride);
  message.mutable_ids()->set_block(table.id_block);
  for (auto const& name : table.drop_foreign_keys) message.add_drop_foreign_key(name);
  for (auto const& name : table.accept_unique) message.add_accept_unique(name);
  message.set_triggers(static_cast<files::Table::Triggers>(table.triggers));
  message.set_capture(static_cast<files::Table::Capture>(table.capture));
  for (auto const& lookup : table.lookups) *message.add_lookup() = to_message(lookup);
  *message.mutable_reads() = to_message(table.reads);
  for (auto const& column : table.classified_columns) message.add_classified_column(column);
  for (auto const& accepted : table.accept) *message.add_accept() = to_message(accepted);
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
  table.ids_given = message.ids().has_strategy() && table.ids == id_strategy_kind::external;
  if (message.ids().has_stride()) table.id_stride = message.ids().stride();
  if (message.ids().has_block()) table.id_block = message.ids().block();
  table.drop_foreign_keys = strings(message.drop_foreign_key());
  table.accept_unique = strings(message.accept_unique());
  table.triggers = static_cast<trigger_policy>(message.triggers());
  table.capture = static_cast<capture_kind>(message.capture());
  for (auto const& lookup : message.lookup())
    table.lookups.push_back({lookup.name(), strings(lookup.column()), lookup.unique()});
  table.reads = from_message(message.reads());
  table.classified_columns = strings(message.classified_column());
  table.accept = accepted_of(message.accept());
  return table;
}

files::Migration to_message(migration_manifest const& migration) {
  files::Migration message;
  message.set_api_version(1);
  message.set_name(migration.name);
  *message.mutable_source() = to_message(migration.source);
  for (auto const& shard : migration.shards) *message.add_shard() = to_message(shard);
  message.set_application_role(migration.application_role);
  for (auto const& role : migration.other_application_roles) message.add_other_application_role(role);
  message.set_engine_role(migration.engine_role);
  message.set_mirror_role(migration.mirror_role);
  message.set_catalog(migration.catalog);
  for (auto const& pin : migration.pins) *message.add_pin() = to_message(pin);
  for (auto const& accepted : migration.accept) *message.add_accept() = to_message(accepted);
  return message;
}

migration_manifest from_message(files::Migration const& message) {
  migration_manifest migration;
  migration.name = message.name();
  migration.source = from_message(message.source());
  for (auto const& shard : message.shard()) migration.shards.push_back(from_message(shard));
  migration.application_role = message.application_role();
  migration.other_application_roles = strings(message.other_application_role());
  migration.engine_role = message.engine_role();
  migration.mirror_role = message.mirror_role();
  migration.catalog = message.catalog();
  for (auto const& pin : message.pin())
    migration.pins.push_back({strings(pin.type()), strings(pin.value()), pin.shard()});
  migration.accept = accepted_of(message.accept());
  return migration;
}

}  // namespace v0
}  // namespace shardway
