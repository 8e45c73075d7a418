#include "shardway/catalog/status.hpp"

#include "lib/catalog/guarded.hpp"
#include "lib/catalog/manifest_statement.hpp"
#include "lib/catalog/sha256.hpp"

namespace shardway {
inline namespace v0 {
namespace {

result<std::vector<status_document>> select_status(session& catalog, std::string_view where,
                                                   std::vector<text_value> parameters) {
  BOOST_OUTCOME_TRY(
      auto const found,
      catalog.query({"SELECT name, document::text, (extract(epoch FROM clock_timestamp() - at) *"
                     " 1000)::bigint"
                     " FROM shardway.status " +
                         std::string(where),
                     std::move(parameters)}));
  std::vector<status_document> out;
  for (std::size_t row = 0; row < found.size(); ++row) {
    BOOST_OUTCOME_TRY(auto const age, found.integer(row, 2));
    out.push_back(
        {std::string(found.text(row, 0)), std::string(found.text(row, 1)), std::chrono::milliseconds{age}});
  }
  return out;
}

}  // namespace

result<> put_status(session& catalog, std::int64_t token, std::string_view name,
                    std::string_view document_json) {
  statement put{
      "INSERT INTO shardway.status (name, document) VALUES ($1, $2::jsonb)"
      " ON CONFLICT (name) DO UPDATE SET document = excluded.document, at = clock_timestamp()",
      {std::string(name), std::string(document_json)}};
  BOOST_OUTCOME_TRYV(run_guarded(catalog, token, {std::move(put)}));
  return success();
}

result<std::optional<status_document>> get_status(session& catalog, std::string_view name) {
  BOOST_OUTCOME_TRY(auto found, select_status(catalog, "WHERE name = $1", {std::string(name)}));
  if (found.empty()) return std::optional<status_document>{};
  return std::optional{std::move(found.front())};
}

result<std::vector<status_document>> list_status(session& catalog) {
  return select_status(catalog, "ORDER BY name", {});
}

statement put_manifest_statement(std::string_view relation, std::string_view document) {
  return {
      "INSERT INTO shardway.manifest AS held (relation, document, sha256) VALUES ($1, $2, $3) ON CONFLICT "
      "(relation) DO"
      " UPDATE"
      " SET document = excluded.document, sha256 = excluded.sha256, applied_by = session_user, applied_at ="
      " clock_timestamp()"
      " WHERE held.sha256 <> excluded.sha256",
      {std::string(relation), std::string(document), sha256_hex(document)}};
}

result<bool> put_manifest(session& catalog, std::string_view relation, std::string_view document) {
  BOOST_OUTCOME_TRY(auto const answer, catalog.query(put_manifest_statement(relation, document)));
  return answer.affected() > 0;
}

result<std::vector<manifest_document>> list_manifests(session& catalog) {
  BOOST_OUTCOME_TRY(
      auto const found,
      catalog.query(
          {"SELECT relation, document, sha256, applied_by, applied_at::text FROM shardway.manifest ORDER BY"
           " relation"}));
  std::vector<manifest_document> out;
  for (std::size_t row = 0; row < found.size(); ++row) {
    manifest_document one{std::string(found.text(row, 0)), std::string(found.text(row, 1)),
                          std::string(found.text(row, 2)), std::string(found.text(row, 3)),
                          std::string(found.text(row, 4))};
    if (sha256_hex(one.document) != one.sha256)
      return error{error_code::corrupt_data,
                   "the stored manifest of " + one.relation + " does not match its checksum",
                   "apply it again"};
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace v0
}  // namespace shardway
