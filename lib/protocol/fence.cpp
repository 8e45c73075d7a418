#include "lib/protocol/fence.hpp"

#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {
namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

}  // namespace

statement fence_statement(std::string_view group, slot_id slot, epoch expected) {
  // The refusing function is called only where no open row matches. The locking clause stands in a subquery
  // that returns nothing: its relation lock is taken with the statement's other locks, before the snapshot
  // that reads the row.
  return {.sql = "SELECT pg_catalog.set_config('shardway.writer', " +
                 names::literal("client/" + std::string(group)) +
                 ", true), CASE WHEN f.slot_from IS NULL THEN shardway.refuse_fence(" +
                 names::literal(group) +
                 ", $1::int4, $2::int4) END FROM (VALUES ($1::int4)) AS s (slot) LEFT JOIN " +
                 names::fence(group) +
                 " f ON f.slot_from <= s.slot AND f.slot_to >= s.slot AND f.is_open AND f.epoch = $2::int4 "
                 "LEFT JOIN (SELECT 1 FROM " +
                 names::fence_lock(group) + " WHERE false FOR KEY SHARE) l ON true",
          .parameters = {number(slot.value()), number(expected.value())},
          .name = "shardway_fence_" + std::string(group)};
}

statement fence_lock_statement(std::string_view group) {
  return {.sql = "LOCK TABLE " + names::fence_lock(group) + " IN ROW SHARE MODE"};
}

statement flip_lock_statement(std::string_view group) {
  return {.sql = "LOCK TABLE " + names::fence_lock(group) + " IN EXCLUSIVE MODE"};
}

statement flip_statement(std::string_view group, slot_range slots, shardway::epoch epoch, bool open,
                         std::optional<std::string> wave,
                         std::optional<std::chrono::milliseconds> deadline_in) {
  text_value deadline;
  if (deadline_in) deadline = std::to_string(deadline_in->count());
  return {.sql =
              "SELECT shardway.fence_set($1::text, $2::int4, $3::int4, $4::int4, $5::boolean, $6::text, "
              "$7::int8)",
          .parameters = {std::string(group), number(slots.first.value()), number(slots.last.value()),
                         number(epoch.value()), std::string(open ? "t" : "f"), std::move(wave), deadline}};
}

statement follow_statement(std::string_view group, slot_range slots, shardway::epoch epoch) {
  // Each closed row of the shard inside the range that has an older epoch is raised; open rows are the
  // shard's own and stay as they are.
  auto const fence = names::fence(group);
  return {.sql =
              "SELECT shardway.fence_set($1::text, greatest(f.slot_from, $2::int4), least(f.slot_to, "
              "$3::int4), $4::int4, false, '', NULL) FROM " +
              fence +
              " f WHERE f.slot_from <= $3::int4 AND f.slot_to >= $2::int4 AND NOT f.is_open AND f.epoch < "
              "$4::int4",
          .parameters = {std::string(group), number(slots.first.value()), number(slots.last.value()),
                         number(epoch.value())}};
}

statement read_fence_statement(std::string_view group) {
  return {.sql =
              "SELECT slot_from, slot_to, epoch, is_open, wave, coalesce(deadline < "
              "pg_catalog.clock_timestamp(), false) FROM " +
              names::fence(group) + " ORDER BY slot_from"};
}

result<std::vector<fence_row>> parse_fence(rows const& answer) {
  std::vector<fence_row> fence;
  for (std::size_t i = 0; i < answer.size(); ++i) {
    BOOST_OUTCOME_TRY(auto const first, answer.integer(i, 0));
    BOOST_OUTCOME_TRY(auto const last, answer.integer(i, 1));
    BOOST_OUTCOME_TRY(auto const number_of_epoch, answer.integer(i, 2));
    fence.push_back(
        {.slots = {slot_id{static_cast<std::uint16_t>(first)}, slot_id{static_cast<std::uint16_t>(last)}},
         .epoch = epoch{static_cast<std::uint16_t>(number_of_epoch)},
         .open = answer.boolean(i, 3),
         .wave = std::string(answer.text(i, 4)),
         .past_deadline = answer.boolean(i, 5)});
  }
  return fence;
}

statement abandon_statement(std::string_view group, slot_id slot) {
  return {.sql = "SELECT outcome, epoch FROM shardway.abandon($1::text, $2::int4)",
          .parameters = {std::string(group), number(slot.value())}};
}

}  // namespace v0
}  // namespace shardway
