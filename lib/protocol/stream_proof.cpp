#include "lib/protocol/stream_proof.hpp"

#include "lib/protocol/names.hpp"

namespace shardway {
inline namespace v0 {

statement stream_proof_statement(std::string_view group, slot_id slot) {
  return {.sql = "SELECT (SELECT applied_lsn FROM shardway.stream_progress WHERE stream = " +
                 names::literal(names::source_stream) +
                 " ORDER BY id DESC LIMIT 1), (SELECT max(generation) FROM shardway.generation), EXISTS "
                 "(SELECT relation FROM shardway.parked UNION ALL SELECT relation FROM shardway.conflict), "
                 "(SELECT epoch FROM " +
                 names::fence(group) + " WHERE slot_from <= $1::int4 AND slot_to >= $1::int4)",
          .parameters = {std::to_string(slot.value())},
          .name = "shardway_proof_" + std::string(group)};
}

result<stream_proof> parse_stream_proof(rows const& answer) {
  if (answer.size() != 1)
    return error{error_code::protocol_violation, "a shard did not report the state of its stream"};
  auto const applied = lsn::parse(answer.text(0, 0));
  stream_proof said{
      .applied = applied.value_or(lsn{}), .generation = 0, .parked = answer.boolean(0, 2), .epoch = {}};
  if (answer.at(0, 1)) {
    BOOST_OUTCOME_TRY(auto const generation, answer.integer(0, 1));
    said.generation = static_cast<std::uint64_t>(generation);
  }
  if (answer.at(0, 3)) {
    BOOST_OUTCOME_TRY(auto const number, answer.integer(0, 3));
    said.epoch = epoch{static_cast<std::uint16_t>(number)};
  }
  return said;
}

}  // namespace v0
}  // namespace shardway
