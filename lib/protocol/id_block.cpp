#include "lib/protocol/id_block.hpp"

#include "absl/strings/str_cat.h"
#include "lib/protocol/durable_commit.hpp"
#include "lib/protocol/sql_template.hpp"
#include "sql_files.hpp"

namespace shardway {
inline namespace v0 {

std::string id_block_schema_sql(std::string_view application_role) {
  return absl::StrCat(
      fill(sql::id_block, {{"application_role", sql_fragment::identifier(application_role)}}).text(),
      durable_trigger_sql("shardway.id_block"));
}

statement raise_id_block_statement(std::string_view table, std::int64_t first, std::int64_t last) {
  return {.sql =
              "INSERT INTO shardway.id_block AS b (relation, next_id, last_id) VALUES ($1::text, $2::int8, "
              "$3::int8) "
              "ON CONFLICT (relation) DO UPDATE SET next_id = greatest(b.next_id, excluded.next_id), last_id "
              "= excluded.last_id",
          .parameters = {std::string(table), std::to_string(first), std::to_string(last)}};
}

statement lease_ids_statement(std::string_view table, std::uint32_t count) {
  return {.sql = "SELECT shardway.lease_ids($1::text, $2::int8)",
          .parameters = {std::string(table), std::to_string(count)},
          .name = "shardway_lease_ids"};
}

result<std::int64_t> parse_lease(rows const& answer, std::string_view table) {
  if (answer.size() == 1 && answer.at(0, 0)) return answer.integer(0, 0);
  return error{error_code::precondition_failed,
               "no block of ids could be leased for table " + std::string(table),
               "the controller makes its row in shardway.id_block when the table begins to copy; if it is "
               "there, its ids are used up"};
}

}  // namespace v0
}  // namespace shardway
