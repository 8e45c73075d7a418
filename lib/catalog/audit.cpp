#include "shardway/catalog/audit.hpp"

#include "lib/catalog/audit_chain.hpp"
#include "lib/store/first_error.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::string_view columns = "id, actor, action, detail::text, previous_sha256, sha256, at::text";

result<audit_entry> entry_at(rows const& found, std::size_t row) {
  audit_entry out;
  BOOST_OUTCOME_TRY(out.id, found.integer(row, 0));
  out.actor = found.text(row, 1);
  out.action = found.text(row, 2);
  out.detail = found.text(row, 3);
  out.previous_sha256 = found.text(row, 4);
  out.sha256 = found.text(row, 5);
  out.recorded_at = found.text(row, 6);
  return out;
}

result<std::vector<audit_entry>> select_entries(session& catalog, std::string_view tail,
                                                std::vector<text_value> parameters) {
  BOOST_OUTCOME_TRY(auto const found,
                    catalog.query({"SELECT " + std::string(columns) + " FROM " + std::string(tail),
                                   std::move(parameters)}));
  std::vector<audit_entry> out;
  for (std::size_t row = 0; row < found.size(); ++row) {
    BOOST_OUTCOME_TRY(auto one, entry_at(found, row));
    out.push_back(std::move(one));
  }
  return out;
}

error broken_at(audit_entry const& entry, session const& catalog) {
  return error{error_code::corrupt_data, "the audit log is broken at entry " + std::to_string(entry.id) +
                                             ": this entry was changed, or one before it is missing"}
      .at_node(catalog.identity().name);
}

// The lock comes first, so that the reading after it sees the newest entry; the server gives the time and the
// form of the JSON.
result<> append_locked(session& catalog, std::string_view actor, std::string_view action,
                       std::string_view detail_json) {
  statement const opening[]{{"BEGIN ISOLATION LEVEL READ COMMITTED"},
                            {"LOCK TABLE shardway.audit IN SHARE ROW EXCLUSIVE MODE"},
                            {"SELECT coalesce((SELECT sha256 FROM shardway.audit ORDER BY id DESC LIMIT 1), "
                             "''), clock_timestamp()::text, $1::jsonb::text",
                             {std::string(detail_json)}}};
  BOOST_OUTCOME_TRY(auto opened, catalog.flush(opening));
  BOOST_OUTCOME_TRYV(first_error(opened));
  auto const& newest = opened.back().value();
  audit_entry entry;
  entry.previous_sha256 = newest.text(0, 0);
  entry.recorded_at = newest.text(0, 1);
  entry.detail = newest.text(0, 2);
  entry.actor = actor;
  entry.action = action;
  BOOST_OUTCOME_TRYV(
      catalog.query({"INSERT INTO shardway.audit (actor, action, detail, previous_sha256, sha256, at)"
                     " VALUES ($1, $2, $3::jsonb, $4, $5, $6::timestamptz)",
                     {entry.actor, entry.action, entry.detail, entry.previous_sha256, chained_sha256(entry),
                      entry.recorded_at}}));
  auto const outcome = catalog.commit();
  if (!outcome.is_committed())
    return outcome.why.value_or(error{error_code::in_doubt, "the audit entry's COMMIT gave no answer"});
  return success();
}

}  // namespace

result<> append_audit(session& catalog, std::string_view actor, std::string_view action,
                      std::string_view detail_json) {
  if (catalog.in_transaction())
    return error{error_code::invalid_argument, "append_audit: a transaction is open on the session"};
  auto appended = append_locked(catalog, actor, action, detail_json);
  if (!appended && !catalog.is_broken()) (void)catalog.query({"ROLLBACK"});
  return appended;
}

result<std::vector<audit_entry>> read_audit(session& catalog, std::size_t limit) {
  return select_entries(catalog,
                        "(SELECT * FROM shardway.audit ORDER BY id DESC LIMIT $1::bigint) newest ORDER BY id",
                        {std::to_string(limit)});
}

// P7: a changed or removed entry breaks the chain. One cut off at the end shows only to a caller who kept the
// head.
result<audit_head> verify_audit(session& catalog) {
  audit_head head;
  for (std::int64_t after = 0;;) {
    BOOST_OUTCOME_TRY(auto const page,
                      select_entries(catalog, "shardway.audit WHERE id > $1::bigint ORDER BY id LIMIT 1000",
                                     {std::to_string(after)}));
    if (page.empty()) return head;
    for (auto const& entry : page) {
      if (entry.previous_sha256 != head.sha256 || chained_sha256(entry) != entry.sha256)
        return broken_at(entry, catalog);
      head.sha256 = entry.sha256;
      ++head.entries;
    }
    after = page.back().id;
  }
}

}  // namespace v0
}  // namespace shardway
