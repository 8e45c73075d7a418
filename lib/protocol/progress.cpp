#include "lib/protocol/progress.hpp"

namespace shardway {
inline namespace v0 {

statement engine_statement(std::int64_t token, std::string_view writer) {
  return {.sql = "SELECT shardway.engine_begin($1::int8, $2::text)",
          .parameters = {std::to_string(token), std::string(writer)},
          .name = "shardway_engine"};
}

statement engine_check_statement(std::int64_t token, std::string_view writer) {
  return {.sql = "SELECT shardway.engine_check($1::int8, $2::text)",
          .parameters = {std::to_string(token), std::string(writer)},
          .name = "shardway_engine_check"};
}

statement advance_statement(std::string_view stream, stream_position const& position) {
  auto const& t = position.totals;
  return {.sql =
              "INSERT INTO shardway.stream_progress (stream, applied_lsn, marker, changes, outbox, "
              "duplicates, healed, corrected, side_effects, "
              "foreign_writes) VALUES ($1::text, $2::pg_lsn, $3::int8, $4::int8, $5::int8, $6::int8, "
              "$7::int8, $8::int8, $9::int8, $10::int8)",
          .parameters = {std::string(stream), position.applied.to_string(), std::to_string(position.marker),
                         std::to_string(t.changes), std::to_string(t.outbox), std::to_string(t.duplicates),
                         std::to_string(t.healed), std::to_string(t.corrected),
                         std::to_string(t.side_effects), std::to_string(t.foreign)},
          .name = "shardway_advance"};
}

// Progress adds rows and deletes older ones. A single row that is updated again and again gets slow under a
// pinned snapshot (S24).
statement trim_progress_statement(std::string_view stream) {
  return {.sql =
              "DELETE FROM shardway.stream_progress WHERE stream = $1::text AND id < (SELECT max(id) FROM "
              "shardway.stream_progress WHERE stream = $1::text)",
          .parameters = {std::string(stream)}};
}

statement read_progress_statement(std::string_view stream) {
  return {.sql =
              "SELECT applied_lsn, marker, changes, outbox, duplicates, healed, corrected, side_effects, "
              "foreign_writes FROM shardway.stream_progress "
              "WHERE stream = $1::text ORDER BY id DESC LIMIT 1",
          .parameters = {std::string(stream)},
          .name = "shardway_read_progress"};
}

result<stream_position> parse_progress(rows const& answer) {
  if (answer.empty()) return stream_position{};
  auto const applied = lsn::parse(answer.text(0, 0));
  if (!applied) return error(error_code::protocol_violation, "stream_progress holds no LSN");
  stream_position position{.applied = *applied, .marker = 0, .totals = {}};
  std::int64_t* const fields[] = {&position.marker,
                                  &position.totals.changes,
                                  &position.totals.outbox,
                                  &position.totals.duplicates,
                                  &position.totals.healed,
                                  &position.totals.corrected,
                                  &position.totals.side_effects,
                                  &position.totals.foreign};
  for (std::size_t i = 0; i < std::size(fields); ++i) {
    BOOST_OUTCOME_TRY(auto const value, answer.integer(0, i + 1));
    *fields[i] = value;
  }
  return position;
}

statement marker_statement(std::string_view wave) {
  return {.sql = "INSERT INTO shardway.marker (wave) VALUES ($1::text) RETURNING id",
          .parameters = {std::string(wave)}};
}

}  // namespace v0
}  // namespace shardway
