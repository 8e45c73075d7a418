#include "lib/migrate/controller/status_writer.hpp"

#include "lib/migrate/nodes/json.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/catalog/status.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::control {
namespace {

using nodes::json;

json stream_json(stream_state const& state) {
  auto const& totals = state.position.totals;
  return {{"stream", state.stream},
          {"running", state.is_running},
          {"connected", state.is_connected},
          {"applied_lsn", state.position.applied.to_string()},
          {"lag_bytes", state.lag_bytes},
          {"lag_ms", state.lag.count()},
          {"queued", state.queued},
          {"changes", totals.changes},
          {"outbox", totals.outbox},
          {"duplicates", totals.duplicates},
          {"healed", totals.healed},
          {"corrected", totals.corrected},
          {"side_effects", totals.side_effects},
          {"foreign_writes", totals.foreign},
          {"failure", nodes::failure_json(state.failure)},
          {"waiting", state.waiting}};
}

json table_copy_json(table_copy_progress const& table) {
  return {{"table", table.table},
          {"chunks", table.chunks},
          {"chunks_closed", table.chunks_closed},
          {"rows", table.rows},
          {"bytes", table.bytes}};
}

json copy_json(copy_progress const& copy) {
  auto tables = json::array();
  for (auto const& table : copy.tables) tables.push_back(table_copy_json(table));
  return {{"running", copy.is_running},   {"paused", copy.is_paused},
          {"complete", copy.is_complete}, {"rows_per_second", copy.rows_per_second},
          {"tables", std::move(tables)},  {"failure", nodes::failure_json(copy.failure)}};
}

std::int64_t slots_moved(group_state const& state) {
  std::int64_t moved = 0;
  for (auto const& range : state.authority)
    if (range.shard) moved += range.slots.count();
  return moved;
}

json group_json(group_state const& state, controller_context const& context) {
  auto const* streams = context.streams.get();
  json document{{"group", state.name}, {"stage", name(state.stage)}, {"slots_moved", slots_moved(state)}};
  if (streams && state.stage >= stage::copying) document["copy"] = copy_json(streams->copy_state(state.name));
  auto const drift = context.drift.find(state.name);
  if (drift == context.drift.end()) return document;
  auto all = drift->second.shape;
  all.insert(all.end(), drift->second.publication.begin(), drift->second.publication.end());
  document["paused"] = drift->second.pauses();
  document["differences"] = to_json(all);
  return document;
}

json status_json(controller_context const& context) {
  auto const* streams = context.streams.get();
  auto groups = json::array(), forward = json::array(), mirrors = json::array();
  for (auto const& state : context.current->groups) groups.push_back(group_json(state, context));
  for (std::size_t i = 0; streams && i < context.options.migration.shards.size(); ++i) {
    auto const shard = shard_id{static_cast<std::uint16_t>(i)};
    forward.push_back(stream_json(streams->stream(shard)));
    mirrors.push_back(stream_json(streams->mirror(shard)));
  }
  auto const failure = streams ? streams->dispatcher_failure() : std::nullopt;
  return {{"holder", context.options.holder},       {"token", context.token()},
          {"generation", context.current->number},  {"groups", std::move(groups)},
          {"streams", std::move(forward)},          {"mirrors", std::move(mirrors)},
          {"failure", nodes::failure_json(failure)}};
}

}  // namespace

result<> status_writer::write(session& catalog) {
  auto const now = steady_now();
  if (now - last_ < std::chrono::milliseconds{250}) return success();
  last_ = now;
  return put_status(catalog, context_.token(), "controller", nodes::to_text(status_json(context_)));
}

}  // namespace migrate::control
}  // namespace v0
}  // namespace shardway
