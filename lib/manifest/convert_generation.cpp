// The generation's message, checked while it is read: a client must not route by a document that contradicts
// itself.
#include "lib/manifest/convert.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr unsigned document_format = 1;

error corrupt(std::string what) {
  return error{error_code::corrupt_data, "a generation cannot be read: " + std::move(what),
               "publish the generation again from its manifests"};
}

template <class Message>
result<slot_range> slots_of(Message const& message) {
  if (message.first_slot() > message.last_slot() || message.last_slot() >= limits::slot_count)
    return corrupt("a range of slots ends before it begins, or past the last slot");
  return slot_range{slot_id{static_cast<std::uint16_t>(message.first_slot())},
                    slot_id{static_cast<std::uint16_t>(message.last_slot())}};
}

result<shard_id> shard_of(unsigned shard, files::Generation const& document) {
  if (shard >= static_cast<unsigned>(document.migration().shard_size()))
    return corrupt("it names a shard that the migration does not have");
  return shard_id{static_cast<std::uint16_t>(shard)};
}

template <class Range>
bool covers_all(std::vector<Range> const& ranges) {
  std::uint32_t next = 0;
  for (auto const& range : ranges) {
    if (range.slots.first.value() != next) return false;
    next = std::uint32_t{range.slots.last.value()} + 1;
  }
  return next == limits::slot_count;
}

result<std::vector<placement_range>> placement_of(files::Generation const& document) {
  std::vector<placement_range> ranges;
  for (auto const& message : document.placement()) {
    BOOST_OUTCOME_TRY(auto slots, slots_of(message));
    BOOST_OUTCOME_TRY(auto shard, shard_of(message.shard(), document));
    ranges.push_back({slots, shard});
  }
  if (!covers_all(ranges)) return corrupt("the placement leaves slots out, or names some twice");
  return ranges;
}

result<authority_range> authority_of(files::Authority const& message, files::Generation const& document) {
  authority_range range;
  BOOST_OUTCOME_TRY(auto slots, slots_of(message));
  range.slots = slots;
  if (message.has_shard()) {
    BOOST_OUTCOME_TRY(auto shard, shard_of(message.shard(), document));
    range.shard = shard;
  }
  if (message.epoch() > limits::epoch_max) return corrupt("an epoch is past its limit");
  range.epoch = epoch{static_cast<std::uint16_t>(message.epoch())};
  auto const opened = lsn::parse(message.opened());
  if (!opened) return corrupt("a position of the WAL cannot be read");
  range.opened = *opened;
  return range;
}

result<group_state> group_of(files::Group const& message, files::Generation const& document) {
  if (!files::Stage_IsValid(message.stage()))
    return corrupt("a group is at a stage this version does not know");
  group_state group{message.name(), static_cast<stage>(message.stage()), {}};
  for (auto const& range : message.authority()) {
    BOOST_OUTCOME_TRY(auto made, authority_of(range, document));
    group.authority.push_back(made);
  }
  if (!covers_all(group.authority))
    return corrupt("the authority of the group \"" + group.name + "\" leaves slots out, or names some twice");
  return group;
}

result<table_state> table_of(files::TableState const& message, generation const& so_far) {
  auto const& manifest = message.manifest();
  if (!files::Table::Kind_IsValid(manifest.kind()) || !files::Table::Triggers_IsValid(manifest.triggers()) ||
      !files::Stage_IsValid(manifest.stage_until()) ||
      !files::DualWrite::Mode_IsValid(manifest.dual_write().mode()) ||
      !files::Ids::Strategy_IsValid(manifest.ids().strategy()) ||
      !files::Table::Capture_IsValid(manifest.capture()))
    return corrupt("the table " + manifest.table() + " has an option this version does not know");
  table_state table{from_message(manifest), {}, message.partitioned()};
  for (auto const& column : message.column())
    table.columns.push_back(
        {column.name(), column.type(), column.generated(), column.not_null(), column.base_type()});
  if (so_far.find_group(table.manifest.group) == nullptr)
    return corrupt("the table " + manifest.table() + " is in a group that the document does not have");
  if (so_far.find_table(table.manifest.table) != nullptr)
    return corrupt("the table " + manifest.table() + " is listed twice");
  return table;
}

template <class Message>
void set_slots(Message& message, slot_range const& slots) {
  message.set_first_slot(slots.first.value());
  message.set_last_slot(slots.last.value());
}

files::Group to_message(group_state const& group) {
  files::Group message;
  message.set_name(group.name);
  message.set_stage(static_cast<files::Stage>(group.stage));
  for (auto const& range : group.authority) {
    auto& one = *message.add_authority();
    set_slots(one, range.slots);
    if (range.shard) one.set_shard(range.shard->value());
    one.set_epoch(range.epoch.value());
    one.set_opened(range.opened.to_string());
  }
  return message;
}

files::TableState to_message(table_state const& table) {
  files::TableState message;
  *message.mutable_manifest() = to_message(table.manifest);
  message.set_partitioned(table.partitioned);
  for (auto const& column : table.columns) {
    auto& one = *message.add_column();
    one.set_name(column.name);
    one.set_type(column.type);
    one.set_generated(column.generated);
    one.set_not_null(column.not_null);
    one.set_base_type(column.base_type);
  }
  return message;
}

}  // namespace

files::Generation to_message(generation const& current) {
  files::Generation message;
  message.set_format(document_format);
  message.set_number(current.number);
  *message.mutable_migration() = to_message(current.migration);
  for (auto const& range : current.placement) {
    auto& one = *message.add_placement();
    set_slots(one, range.slots);
    one.set_shard(range.shard.value());
  }
  for (auto const& group : current.groups) *message.add_group() = to_message(group);
  for (auto const& table : current.tables) *message.add_table() = to_message(table);
  return message;
}

result<generation> from_message(files::Generation const& document) {
  if (document.format() != document_format)
    return corrupt("its format is " + std::to_string(document.format()) + ", and this version reads 1");
  generation made;
  made.number = document.number();
  made.migration = from_message(document.migration());
  BOOST_OUTCOME_TRY(made.placement, placement_of(document));
  for (auto const& message : document.group()) {
    BOOST_OUTCOME_TRY(auto group, group_of(message, document));
    if (made.find_group(group.name) != nullptr)
      return corrupt("the group \"" + group.name + "\" is listed twice");
    made.groups.push_back(std::move(group));
  }
  for (auto const& message : document.table()) {
    BOOST_OUTCOME_TRY(auto table, table_of(message, made));
    made.tables.push_back(std::move(table));
  }
  return made;
}

}  // namespace v0
}  // namespace shardway
