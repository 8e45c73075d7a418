#include "lib/protocol/read_fence.hpp"

#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace {

// Added to the caller's own deadline, so that the caller gives up first and the server cleans up afterwards.
constexpr std::chrono::milliseconds grace{200};

}  // namespace

statement begin_snapshot_statement() { return {.sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}; }

statement read_fence_check_statement(std::string_view group, std::span<expected_slots const> expected,
                                     std::chrono::milliseconds time_left) {
  auto const limit = std::to_string((time_left + grace).count());
  std::string const set_limit = "SELECT pg_catalog.set_config('statement_timeout', $1::text, true)";
  if (group.empty()) return {.sql = set_limit, .parameters = {limit}, .name = "shardway_read_limit"};
  std::string first, last, epochs;
  for (auto const& one : expected) {
    auto const add = [](std::string& list, unsigned value) {
      list.append(list.empty() ? "{" : ",").append(std::to_string(value));
    };
    add(first, one.slots.first.value());
    add(last, one.slots.last.value());
    add(epochs, one.epoch.value());
  }
  // A node whose epoch is later than expected has authority too. A node with an older epoch lost authority in
  // a failover.
  auto const fence = names::fence(group);
  std::string const within = "f.slot_from <= w.last AND f.slot_to >= w.first";
  return {.sql = set_limit +
                 ", (SELECT max(g.generation) FROM shardway.generation g), "
                 "(SELECT min(greatest(f.slot_from, w.first)) FROM unnest($2::int4[], $3::int4[], "
                 "$4::int4[]) AS w (first, last, at) JOIN " +
                 fence + " f ON " + within + " AND NOT (f.is_open AND f.epoch >= w.at))",
          .parameters = {limit, first + "}", last + "}", epochs + "}"},
          .name = "shardway_read_fence_" + std::string(group)};
}

result<read_fence_answer> parse_read_fence(rows const& answer) {
  if (answer.size() != 1)
    return error{error_code::protocol_violation, "the fence check of a read did not return one row"};
  if (answer.columns().size() < 3) return read_fence_answer{};
  read_fence_answer found;
  if (answer.at(0, 1)) {
    BOOST_OUTCOME_TRY(auto const generation, answer.integer(0, 1));
    found.generation = static_cast<std::uint64_t>(generation);
  }
  if (answer.at(0, 2)) {
    BOOST_OUTCOME_TRY(auto const slot, answer.integer(0, 2));
    found.refused = slot_id{static_cast<std::uint16_t>(slot)};
  }
  return found;
}

}  // namespace v0
}  // namespace shardway
