// What the controller shows of itself, once a second, as one document in the catalog.
#include "lib/migrate/controller/parts.hpp"
#include "lib/migrate/nodes/json_text.hpp"
#include "shardway/base/clock.hpp"
#include "shardway/catalog/status.hpp"

namespace shardway {
inline namespace v0 {

using namespace migrate;
using namespace migrate::control;
namespace {

std::string stream_json(stream_state const& state) {
  auto const& totals = state.position.totals;
  nodes::json_object document;
  document.text("stream", state.stream)
      .boolean("running", state.is_running)
      .boolean("connected", state.is_connected);
  document.text("applied_lsn", state.position.applied.to_string())
      .number("lag_bytes", state.lag_bytes)
      .number("lag_ms", state.lag.count());
  document.number("queued", static_cast<std::int64_t>(state.queued))
      .number("changes", totals.changes)
      .number("outbox", totals.outbox);
  document.number("duplicates", totals.duplicates)
      .number("healed", totals.healed)
      .number("corrected", totals.corrected);
  document.number("side_effects", totals.side_effects).number("foreign_writes", totals.foreign);
  return document.raw("failure", state.failure ? nodes::json_string(state.failure->to_string()) : "null")
      .str();
}

std::string copy_json(copy_progress const& copy) {
  auto const tables = nodes::json_array(copy.tables, [](table_copy_progress const& table) {
    return nodes::json_object()
        .text("table", table.table)
        .number("chunks", table.chunks)
        .number("chunks_closed", table.chunks_closed)
        .number("rows", table.rows)
        .number("bytes", table.bytes)
        .str();
  });
  nodes::json_object document;
  document.boolean("running", copy.is_running)
      .boolean("paused", copy.is_paused)
      .boolean("complete", copy.is_complete);
  document.real("rows_per_second", copy.rows_per_second).raw("tables", tables);
  return document.raw("failure", copy.failure ? nodes::json_string(copy.failure->to_string()) : "null").str();
}

std::int64_t slots_moved(group_state const& state) {
  std::int64_t moved = 0;
  for (auto const& range : state.authority)
    if (range.shard) moved += range.slots.count();
  return moved;
}

}  // namespace

std::string controller::parts::status_document() const {
  auto const groups = nodes::json_array(now->groups, [&](group_state const& state) {
    nodes::json_object document;
    document.text("group", state.name)
        .text("stage", shardway::name(state.stage))
        .number("slots_moved", slots_moved(state));
    if (streams && state.stage >= stage::copying)
      document.raw("copy", copy_json(streams->copy_state(state.name)));
    return document.str();
  });
  std::vector<stream_state> forward, mirrors;
  for (std::size_t i = 0; streams && i < options.migration.shards.size(); ++i) {
    forward.push_back(streams->stream(shard_id{static_cast<std::uint16_t>(i)}));
    mirrors.push_back(streams->mirror(shard_id{static_cast<std::uint16_t>(i)}));
  }
  nodes::json_object document;
  document.text("holder", options.holder)
      .number("token", lease->token())
      .number("generation", static_cast<std::int64_t>(now->number));
  document.raw("groups", groups)
      .raw("streams", nodes::json_array(forward, stream_json))
      .raw("mirrors", nodes::json_array(mirrors, stream_json));
  auto const failed = streams ? streams->dispatcher_failure() : std::nullopt;
  return document.raw("failure", failed ? nodes::json_string(failed->to_string()) : "null").str();
}

result<> controller::parts::write_status() {
  auto const at = steady_now();
  if (at - status_written < std::chrono::milliseconds{250}) return success();
  status_written = at;
  return put_status(nodes.source(), token(), "controller", status_document());
}

}  // namespace v0
}  // namespace shardway
