#include "lib/protocol/operation.hpp"

#include "absl/strings/str_cat.h"
#include "lib/protocol/sql_template.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {

std::string operation_schema_sql(grantees const& application) {
  return fill(sql::operation, {{"application_role", sql_fragment::of_quoted(application.sql())}}).text();
}

std::array<statement, 2> claim_operation_statements(std::string_view id, std::string_view digest,
                                                    write_id write) {
  return {statement{.sql = "SELECT pg_catalog.set_config('shardway.in_operation', 'on', true)",
                    .name = "shardway_in_operation"},
          statement{.sql = "INSERT INTO shardway.operation (id, digest, write_id) SELECT $1::text, $2::text, "
                           "$3::uuid WHERE pg_catalog.current_setting('shardway.in_operation', true) = 'on'",
                    .parameters = {std::string(id), std::string(digest), write.to_string()},
                    .name = "shardway_claim_operation"}};
}

statement complete_operation_statement(std::string_view id, std::int64_t affected) {
  return {.sql = "UPDATE shardway.operation SET affected = $2::int8 WHERE id = $1::text",
          .parameters = {std::string(id), std::to_string(affected)},
          .name = "shardway_complete_operation"};
}

statement find_operation_statement(std::string_view id) {
  return {.sql = "SELECT digest, write_id, affected FROM shardway.operation WHERE id = $1::text",
          .parameters = {std::string(id)},
          .name = "shardway_find_operation"};
}

statement sweep_operations_statement() {
  return {.sql =
              absl::StrCat("DELETE FROM shardway.operation WHERE id IN (SELECT id FROM shardway.operation ",
                           "WHERE at < pg_catalog.clock_timestamp() - interval '", operation_hours_kept,
                           " hours' ORDER BY at LIMIT 1000 FOR UPDATE SKIP LOCKED)")};
}

result<std::optional<operation_record>> parse_operation(rows const& answer) {
  if (answer.empty()) return std::optional<operation_record>{};
  operation_record found{.digest = std::string(answer.text(0, 0))};
  auto const id = write_id::parse(answer.text(0, 1));
  if (!id) return error{error_code::protocol_violation, "the record of an operation holds no write id"};
  found.id = *id;
  BOOST_OUTCOME_TRY(found.affected, answer.integer(0, 2));
  return std::optional{std::move(found)};
}

}  // namespace v0
}  // namespace shardway
