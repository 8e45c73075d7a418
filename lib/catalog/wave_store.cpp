#include <nlohmann/json.hpp>

#include "lib/catalog/guarded.hpp"
#include "shardway/base/limits.hpp"
#include "shardway/catalog/journal.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::string_view select_wave =
    "SELECT wave, group_name, direction, ranges::text, epoch_before, epoch_after, state, token, "
    "started_at::text, coalesce(finished_at::text, ''), coalesce(report::text, '') FROM shardway.wave ";

// [[0,4],[10,12]]: the first and the last slot of each range.
std::string ranges_json(std::vector<slot_range> const& ranges) {
  auto json = nlohmann::json::array();
  for (auto const& range : ranges)
    json.push_back(nlohmann::json::array({range.first.value(), range.last.value()}));
  return json.dump();
}

result<slot_range> range_of(nlohmann::json const& pair) {
  bool const is_pair =
      pair.is_array() && pair.size() == 2 && pair[0].is_number_unsigned() && pair[1].is_number_unsigned();
  auto const first = is_pair ? pair[0].get<std::uint64_t>() : limits::slot_count;
  auto const last = is_pair ? pair[1].get<std::uint64_t>() : limits::slot_count;
  if (first > last || last >= limits::slot_count)
    return error{error_code::corrupt_data, "a wave's range is not a pair of slots"};
  return slot_range{slot_id{static_cast<std::uint16_t>(first)}, slot_id{static_cast<std::uint16_t>(last)}};
}

result<std::vector<slot_range>> parse_ranges(std::string_view text) {
  auto const json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_array()) return error{error_code::corrupt_data, "the ranges of a wave are no JSON array"};
  std::vector<slot_range> ranges;
  for (auto const& pair : json) {
    BOOST_OUTCOME_TRY(auto const range, range_of(pair));
    ranges.push_back(range);
  }
  return ranges;
}

result<epoch> epoch_at(rows const& found, std::size_t row, std::size_t column) {
  BOOST_OUTCOME_TRY(auto const number, found.integer(row, column));
  if (number < 0 || number > limits::epoch_max)
    return error{error_code::corrupt_data, "a wave's epoch is out of range"};
  return epoch{static_cast<std::uint16_t>(number)};
}

result<wave_record> wave_at(rows const& found, std::size_t row) {
  wave_record out;
  out.wave = found.text(row, 0);
  out.group = found.text(row, 1);
  out.direction = found.text(row, 2) == "back" ? wave_direction::back : wave_direction::forward;
  BOOST_OUTCOME_TRY(out.ranges, parse_ranges(found.text(row, 3)));
  BOOST_OUTCOME_TRY(out.before, epoch_at(found, row, 4));
  BOOST_OUTCOME_TRY(out.after, epoch_at(found, row, 5));
  out.state = found.text(row, 6);
  BOOST_OUTCOME_TRY(out.token, found.integer(row, 7));
  out.started_at = found.text(row, 8);
  out.finished_at = found.text(row, 9);
  out.report = found.text(row, 10);
  return out;
}

result<std::vector<wave_record>> select_waves(session& catalog, std::string_view where,
                                              std::vector<text_value> parameters) {
  BOOST_OUTCOME_TRY(auto const found,
                    catalog.query({std::string(select_wave) + std::string(where), std::move(parameters)}));
  std::vector<wave_record> out;
  for (std::size_t row = 0; row < found.size(); ++row) {
    BOOST_OUTCOME_TRY(auto one, wave_at(found, row));
    out.push_back(std::move(one));
  }
  return out;
}

error wave_error(std::string_view wave, std::string_view what, session const& catalog) {
  return error{error_code::precondition_failed, "wave " + std::string(wave) + ' ' + std::string(what)}
      .at_node(catalog.identity().name);
}

std::optional<wave_decision> decision_of(std::string_view text) noexcept {
  if (text == "commit") return wave_decision::commit;
  if (text == "abort") return wave_decision::abort;
  return std::nullopt;
}

}  // namespace

std::string_view name(wave_direction direction) noexcept {
  return direction == wave_direction::forward ? "forward" : "back";
}
std::string_view name(wave_decision decision) noexcept {
  return decision == wave_decision::commit ? "commit" : "abort";
}

result<> insert_wave(session& catalog, wave_record const& wave) {
  statement insert{
      "INSERT INTO shardway.wave (wave, group_name, direction, ranges, epoch_before, epoch_after, state, "
      "token)"
      " VALUES ($1, $2, $3, $4::jsonb, $5::int, $6::int, $7, $8::bigint) ON CONFLICT (wave) DO NOTHING",
      {wave.wave, wave.group, std::string(name(wave.direction)), ranges_json(wave.ranges),
       std::to_string(wave.before.value()), std::to_string(wave.after.value()), wave.state,
       std::to_string(wave.token)}};
  BOOST_OUTCOME_TRY(auto const answers, run_guarded(catalog, wave.token, {std::move(insert)}));
  if (answers[0].affected() == 0) return wave_error(wave.wave, "exists already", catalog);
  return success();
}

result<> update_wave(session& catalog, std::int64_t token, std::string_view wave, std::string_view state,
                     std::string_view report_json) {
  statement update{
      "UPDATE shardway.wave SET state = $2, token = $3::bigint, report = coalesce(nullif($4, '')::jsonb, "
      "report),"
      " finished_at = CASE WHEN $2 IN ('done', 'aborted') THEN coalesce(finished_at, clock_timestamp()) END "
      "WHERE wave = $1",
      {std::string(wave), std::string(state), std::to_string(token), std::string(report_json)}};
  BOOST_OUTCOME_TRY(auto const answers, run_guarded(catalog, token, {std::move(update)}));
  if (answers[0].affected() == 0) return wave_error(wave, "does not exist", catalog);
  return success();
}

result<std::optional<wave_record>> find_wave(session& catalog, std::string_view wave) {
  BOOST_OUTCOME_TRY(auto found, select_waves(catalog, "WHERE wave = $1", {std::string(wave)}));
  if (found.empty()) return std::optional<wave_record>{};
  return std::optional{std::move(found.front())};
}

result<std::vector<wave_record>> list_waves(session& catalog, std::string_view group) {
  return select_waves(catalog, "WHERE $1 = '' OR group_name = $1 ORDER BY started_at, wave",
                      {std::string(group)});
}

result<std::vector<wave_record>> unfinished_waves(session& catalog) {
  return select_waves(catalog, "WHERE finished_at IS NULL ORDER BY started_at, wave", {});
}

result<wave_decision> decide_wave(session& catalog, std::int64_t token, std::string_view wave,
                                  wave_decision wanted) {
  // Two statements: the second one's snapshot shows a decision that another session committed while the first
  // waited for it.
  statement insert{
      "INSERT INTO shardway.wave_decision (wave, decision, decided_by) VALUES ($1, $2, 'controller') ON "
      "CONFLICT (wave) DO"
      " NOTHING",
      {std::string(wave), std::string(name(wanted))}};
  statement read{"SELECT decision FROM shardway.wave_decision WHERE wave = $1", {std::string(wave)}};
  BOOST_OUTCOME_TRY(auto const answers, run_guarded(catalog, token, {std::move(insert), std::move(read)}));
  auto const standing = decision_of(answers[1].text(0, 0));
  if (!standing)
    return error{error_code::corrupt_data,
                 "the decision of wave " + std::string(wave) + " is neither commit nor abort"};
  return *standing;
}

result<std::optional<wave_decision>> read_decision(session& catalog, std::string_view wave) {
  BOOST_OUTCOME_TRY(
      auto const found,
      catalog.query({"SELECT decision FROM shardway.wave_decision WHERE wave = $1", {std::string(wave)}}));
  if (found.empty()) return std::optional<wave_decision>{};
  return decision_of(found.text(0, 0));
}

}  // namespace v0
}  // namespace shardway
