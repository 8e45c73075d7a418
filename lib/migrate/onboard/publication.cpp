#include "lib/migrate/onboard/publication.hpp"

#include <algorithm>

#include "lib/migrate/nodes/run_all.hpp"
#include "lib/migrate/onboard/sql.hpp"
#include "lib/protocol/names.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::onboard {
namespace {

result<bool> has_publication(session& node, std::string const& publication) {
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({"SELECT 1 FROM pg_publication WHERE pubname = $1", {publication}}));
  return !found.empty();
}

result<std::vector<std::string>> not_in_publication(session& node, std::string const& publication,
                                                    std::vector<std::string> const& relations) {
  BOOST_OUTCOME_TRY(auto const found, node.query({"SELECT n.name FROM unnest($2::text[]) AS n (name) WHERE "
                                                  "NOT EXISTS (SELECT 1 FROM pg_publication_rel r"
                                                  " JOIN pg_publication p ON p.oid = r.prpubid WHERE "
                                                  "p.pubname = $1 AND r.prrelid = to_regclass(n.name))",
                                                  {publication, text_array(relations)}}));
  return column_of(found, 0);
}

constexpr std::string_view options_sql =
    "SELECT concat_ws(', ', CASE WHEN NOT pubviaroot THEN 'publish_via_partition_root is off' END,"
    " CASE WHEN NOT pubinsert THEN 'does not publish INSERT' END,"
    " CASE WHEN NOT pubupdate THEN 'does not publish UPDATE' END,"
    " CASE WHEN NOT pubdelete THEN 'does not publish DELETE' END,"
    " CASE WHEN NOT pubtruncate THEN 'does not publish TRUNCATE' END)"
    " FROM pg_publication WHERE pubname = $1";

// Row filters and column lists came with version 15: older servers have no such column.
constexpr std::string_view members_sql =
    "SELECT n.name, CASE WHEN r.oid IS NULL THEN 'is not in it' ELSE 'is filtered in it' END"
    " FROM unnest($2::text[]) AS n (name) LEFT JOIN pg_publication p ON p.pubname = $1"
    " LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = to_regclass(n.name)"
    " WHERE r.oid IS NULL OR to_jsonb(r) ->> 'prqual' IS NOT NULL OR to_jsonb(r) ->> 'prattrs' IS NOT NULL";

// pg_locks and pg_stat_activity show a transaction's id as 32 bits; the age orders them.
constexpr std::string_view older_sql =
    "SELECT format('pid %s (%s, %s s)', pid, coalesce(nullif(application_name, ''), backend_type), "
    "extract(epoch FROM clock_timestamp() -"
    " xact_start)::int)"
    " FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND age(backend_xid) > age($1::xid) UNION ALL"
    " SELECT format('prepared transaction %s (%s s)', gid, extract(epoch FROM clock_timestamp() - "
    "prepared)::int) FROM pg_prepared_xacts"
    " WHERE age(transaction) > age($1::xid) ORDER BY 1";

result<bool> has_passed(session& node, std::string const& xid) {
  BOOST_OUTCOME_TRY(auto const found,
                    node.query({"SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::xid8", {xid}}));
  return found.boolean(0, 0);
}

}  // namespace

result<std::vector<std::string>> extend_publication(session& node, std::string const& publication,
                                                    std::vector<std::string> const& relations,
                                                    onboard_options const& options) {
  BOOST_OUTCOME_TRY(bool const there, has_publication(node, publication));
  auto const name = names::quoted(publication);
  if (!there) {
    auto const sql = "CREATE PUBLICATION " + name + " FOR TABLE " + joined(relations) +
                     " WITH (publish_via_partition_root = true)";
    BOOST_OUTCOME_TRYV(run_ddl(node, sql, relations.front(), options));
    return relations;
  }
  BOOST_OUTCOME_TRY(auto missing, not_in_publication(node, publication, relations));
  if (!missing.empty()) {
    BOOST_OUTCOME_TRYV(run_ddl(node, "ALTER PUBLICATION " + name + " ADD TABLE " + joined(missing),
                               missing.front(), options));
  }
  return missing;
}

result<std::vector<publication_gap>> publication_gaps(session& node, std::string const& publication,
                                                      std::vector<std::string> const& relations) {
  statement const questions[]{{std::string(options_sql), {publication}},
                              {std::string(members_sql), {publication, text_array(relations)}}};
  BOOST_OUTCOME_TRY(auto const answers, nodes::run_all(node, questions));
  std::vector<publication_gap> gaps;
  if (answers[0].empty()) return std::vector<publication_gap>{{{}, "does not exist"}};
  if (!answers[0].text(0, 0).empty()) gaps.push_back({{}, std::string(answers[0].text(0, 0))});
  for (std::size_t row = 0; row < answers[1].size(); ++row)
    gaps.push_back({std::string(answers[1].text(row, 0)), std::string(answers[1].text(row, 1))});
  return gaps;
}

// Without this wait, a transaction that wrote a table before it was published, and commits afterwards, would
// never be decoded (CP3).
result<std::vector<std::string>> drain_older_transactions(session& node, std::chrono::milliseconds timeout) {
  auto const& clock = system_clock_source();
  auto const deadline = clock.now() + timeout;
  BOOST_OUTCOME_TRY(auto const now,
                    node.query({"SELECT pg_current_xact_id()::text, pg_current_xact_id()::xid::text"}));
  std::string const xid(now.text(0, 0)), short_xid(now.text(0, 1));
  std::vector<std::string> waited_for;
  for (;;) {
    BOOST_OUTCOME_TRY(bool const passed, has_passed(node, xid));
    if (passed) return waited_for;
    BOOST_OUTCOME_TRY(auto const older, node.query({std::string(older_sql), {short_xid}}));
    auto const remaining = column_of(older, 0);
    if (waited_for.empty()) waited_for = remaining;
    if (clock.now() >= deadline)
      return error{
          error_code::deadline_exceeded,
          "transactions older than the change of the publication are still open: " + joined(remaining),
          "end them (a prepared one by COMMIT or ROLLBACK PREPARED), then go on"}
          .at_node(node.identity().name);
    clock.sleep_until(clock.now() + std::chrono::milliseconds{50});
  }
}

}  // namespace migrate::onboard
}  // namespace v0
}  // namespace shardway
