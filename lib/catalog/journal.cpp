#include "shardway/catalog/journal.hpp"

#include "lib/catalog/guarded.hpp"

namespace shardway {
inline namespace v0 {

result<> append_journal(session& catalog, std::int64_t token, std::string_view wave, std::string_view step,
                        std::string_view detail_json) {
  statement append{
      "INSERT INTO shardway.journal (wave, step, detail, token) VALUES (nullif($1, ''), $2, $3::jsonb, "
      "$4::bigint)",
      {std::string(wave), std::string(step), std::string(detail_json), std::to_string(token)}};
  BOOST_OUTCOME_TRYV(run_guarded(catalog, token, {std::move(append)}));
  return success();
}

result<std::vector<journal_entry>> read_journal(session& catalog, std::string_view wave, std::size_t limit) {
  BOOST_OUTCOME_TRY(
      auto const found,
      catalog.query({"SELECT * FROM (SELECT id, coalesce(wave, ''), step, detail::text, token, at::text"
                     " FROM shardway.journal"
                     " WHERE $1 = '' OR wave = $1 ORDER BY id DESC LIMIT $2::bigint) newest ORDER BY id",
                     {std::string(wave), std::to_string(limit)}}));
  std::vector<journal_entry> out;
  for (std::size_t row = 0; row < found.size(); ++row) {
    journal_entry entry;
    BOOST_OUTCOME_TRY(entry.id, found.integer(row, 0));
    entry.wave = found.text(row, 1);
    entry.step = found.text(row, 2);
    entry.detail = found.text(row, 3);
    BOOST_OUTCOME_TRY(entry.token, found.integer(row, 4));
    entry.recorded_at = found.text(row, 5);
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace v0
}  // namespace shardway
