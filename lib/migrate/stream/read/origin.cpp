#include "lib/migrate/stream/read/origin.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/migrate/nodes/reader_takeover.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::stream {

std::chrono::microseconds origin_reading::age(steady_time now) const noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(now - taken_at);
}

std::chrono::milliseconds origin_reading::lag_of(std::int64_t commit_time, steady_time now) const noexcept {
  auto const passed = clock + age(now).count() - commit_time;
  return std::chrono::milliseconds(std::max<std::int64_t>(0, passed) / 1000);
}

std::int64_t bytes_between(lsn applied, lsn end) noexcept {
  return end > applied ? static_cast<std::int64_t>(end.value() - applied.value()) : 0;
}

result<origin_reading> read_origin(session& node) {
  BOOST_OUTCOME_TRY(
      auto const answer,
      node.query({.sql = "SELECT pg_catalog.pg_current_wal_lsn(), pg_catalog.pg_current_snapshot()::text, "
                         "(extract(epoch FROM pg_catalog.clock_timestamp() - '2000-01-01 00:00:00+00') * "
                         "1000000)::int8",
                  .name = "sw_poll"}));
  auto const end = lsn::parse(answer.text(0, 0));
  if (!end)
    return error{error_code::protocol_violation, "the server's WAL position does not parse"}.at_node(
        node.identity().name);
  origin_reading reading{.end = *end,
                         .snapshot = xid_snapshot::parse(answer.text(0, 1)),
                         .taken_at = system_clock_source().now()};
  BOOST_OUTCOME_TRY(reading.clock, answer.integer(0, 2));
  return reading;
}

result<replication_slot_state> find_origin_slot(session& node, origin_stream const& stream,
                                                std::string_view hint) {
  BOOST_OUTCOME_TRY(auto held, find_replication_slot(node, stream.replication_slot));
  if (held && !held->is_lost()) return std::move(*held);
  return error{error_code::stream_broken,
               absl::StrCat("replication slot ", stream.replication_slot, " on node ", stream.node.node,
                            held ? " is lost" : " does not exist"),
               std::string(hint)}
      .at_node(stream.node.node);
}

result<std::unique_ptr<change_stream>> open_origin_stream(session& node, origin_stream const& stream,
                                                          lsn start) {
  BOOST_OUTCOME_TRY(auto const held, find_replication_slot(node, stream.replication_slot));
  if (held && held->is_active) return nodes::end_other_reader(node, stream.replication_slot, stream.token);
  return open_change_stream(stream.node, {.replication_slot = stream.replication_slot,
                                          .publications = {stream.publication},
                                          .start = start,
                                          .messages = stream.messages});
}

}  // namespace migrate::stream
}  // namespace v0
}  // namespace shardway
