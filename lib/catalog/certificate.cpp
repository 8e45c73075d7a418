#include "shardway/catalog/certificate.hpp"

#include "lib/catalog/guarded.hpp"

namespace shardway {
inline namespace v0 {
namespace {

std::optional<verdict> verdict_of(std::string_view text) noexcept {
  for (auto one : {verdict::equal, verdict::different, verdict::could_not_tell})
    if (name(one) == text) return one;
  return std::nullopt;
}

result<certificate> certificate_at(rows const& found) {
  certificate out;
  BOOST_OUTCOME_TRY(out.id, found.integer(0, 0));
  out.group = found.text(0, 1);
  out.relation = found.text(0, 2);
  auto const judged = verdict_of(found.text(0, 3));
  auto const as_of = lsn::parse(found.text(0, 5));
  if (!judged || !as_of)
    return error{error_code::corrupt_data, "the certificate of " + out.relation + " does not parse"};
  out.found = *judged;
  BOOST_OUTCOME_TRY(out.row_count, found.integer(0, 4));
  out.as_of = *as_of;
  out.detail = found.text(0, 6);
  out.started_at = found.text(0, 7);
  out.recorded_at = found.text(0, 8);
  return out;
}

// One row: what the newest certificate found, its age, and whether a repair came after its beginning.
constexpr std::string_view gap_sql =
    "SELECT c.result, extract(epoch FROM clock_timestamp() - c.started_at)::bigint,"
    " EXISTS (SELECT 1 FROM shardway.repair r WHERE r.relation = c.relation AND r.at >= c.started_at)"
    " FROM shardway.certificate c WHERE c.relation = $1 ORDER BY c.id DESC LIMIT 1";

result<std::string> gap_of(session& catalog, std::string const& relation, std::chrono::seconds age_max) {
  BOOST_OUTCOME_TRY(auto const found, catalog.query({std::string(gap_sql), {relation}}));
  if (found.empty()) return "it was never verified";
  if (found.text(0, 0) != name(verdict::equal))
    return "the newest verification found: " + std::string(found.text(0, 0));
  if (found.boolean(0, 2)) return "rows were repaired after the newest verification began (I7)";
  BOOST_OUTCOME_TRY(auto const age, found.integer(0, 1));
  if (age_max.count() > 0 && age > age_max.count())
    return "the newest verification is " + std::to_string(age) + " s old, " +
           std::to_string(age_max.count()) + " s are allowed";
  return std::string{};
}

}  // namespace

std::string_view name(verdict found) noexcept {
  switch (found) {
    case verdict::equal:
      return "equal";
    case verdict::different:
      return "different";
    case verdict::could_not_tell:
      return "could_not_tell";
  }
  return "unknown";
}

result<std::string> database_now(session& catalog) {
  BOOST_OUTCOME_TRY(auto const now, catalog.query({"SELECT clock_timestamp()::text"}));
  return std::string(now.text(0, 0));
}

result<std::int64_t> insert_certificate(session& catalog, std::int64_t token, certificate const& made) {
  statement insert{
      "INSERT INTO shardway.certificate (group_name, relation, result, row_count, as_of, detail, started_at)"
      " VALUES ($1, $2, $3, $4::bigint, $5::pg_lsn, $6::jsonb, $7::timestamptz) RETURNING id",
      {made.group, made.relation, std::string(name(made.found)), std::to_string(made.row_count),
       made.as_of.to_string(), made.detail, made.started_at}};
  BOOST_OUTCOME_TRY(auto const answers, run_guarded(catalog, token, {std::move(insert)}));
  return answers[0].integer(0, 0);
}

result<std::optional<certificate>> newest_certificate(session& catalog, std::string_view relation) {
  BOOST_OUTCOME_TRY(
      auto const found,
      catalog.query(
          {"SELECT id, group_name, relation, result, row_count, as_of::text, detail::text, started_at::text,"
           " at::text"
           " FROM shardway.certificate WHERE relation = $1 ORDER BY id DESC LIMIT 1",
           {std::string(relation)}}));
  if (found.empty()) return std::optional<certificate>{};
  BOOST_OUTCOME_TRY(auto one, certificate_at(found));
  return std::optional{std::move(one)};
}

result<> insert_repair(session& catalog, std::int64_t token, repair_record const& made) {
  statement insert{"INSERT INTO shardway.repair (relation, node, kind, key_digest) VALUES ($1, $2, $3, $4)",
                   {made.relation, made.node, made.kind, made.key_digest}};
  BOOST_OUTCOME_TRYV(run_guarded(catalog, token, {std::move(insert)}));
  return success();
}

result<std::vector<certificate_gap>> certificate_gaps(session& catalog,
                                                      std::vector<std::string> const& relations,
                                                      std::chrono::seconds age_max) {
  std::vector<certificate_gap> gaps;
  for (auto const& relation : relations) {
    BOOST_OUTCOME_TRY(auto why, gap_of(catalog, relation, age_max));
    if (!why.empty()) gaps.push_back({relation, std::move(why)});
  }
  return gaps;
}

}  // namespace v0
}  // namespace shardway
