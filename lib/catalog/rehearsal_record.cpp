#include "lib/catalog/rehearsal_record.hpp"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/catalog/sha256.hpp"
#include "lib/store/text_array.hpp"

namespace shardway {
inline namespace v0 {
namespace {

constexpr std::string_view record_sql =
    "INSERT INTO shardway.rehearsal (group_name, tables_sha256, passed, problems) VALUES ($1, $2, "
    "$3::boolean, "
    "$4::text[]) ON CONFLICT (group_name) DO UPDATE SET tables_sha256 = excluded.tables_sha256, passed = "
    "excluded.passed, problems = excluded.problems, recorded_at = excluded.recorded_at";

constexpr std::string_view newest_sql =
    "SELECT passed, tables_sha256, extract(epoch FROM clock_timestamp() - recorded_at)::bigint, "
    "coalesce(problems[1], '') FROM shardway.rehearsal WHERE group_name = $1";

void append_column(std::string* text, column_state const& column) {
  absl::StrAppend(text, column.name, " ", column.type, column.generated ? " generated" : "",
                  column.not_null ? " not null" : "");
}

error missing(std::string_view group, std::string const& why) {
  return error{error_code::precondition_failed, absl::StrCat("group ", std::string(group), " ", why),
               absl::StrCat("shardway rehearse --group ", std::string(group))};
}

}  // namespace

std::string tables_digest(std::vector<table_state> const& tables) {
  std::vector<std::string> lines;
  for (auto const& table : tables)
    lines.push_back(absl::StrCat(table.manifest.table, "\x1f", absl::StrJoin(table.manifest.key, "\x1f"),
                                 "\x1f", absl::StrJoin(table.manifest.shard_key, "\x1f"), "\x1f",
                                 absl::StrJoin(table.columns, "\x1f", append_column)));
  std::sort(lines.begin(), lines.end());
  return sha256_hex(absl::StrJoin(lines, "\x1e"));
}

result<> record_rehearsal(session& catalog, rehearsal_record const& record) {
  auto const done =
      catalog.query({std::string(record_sql),
                     {record.group, record.tables_sha256, std::string(record.passed ? "true" : "false"),
                      text_array(record.problems)}});
  if (done) return success();
  if (done.error().sqlstate() == "42P01" || done.error().sqlstate() == "3F000")
    return error{error_code::precondition_failed,
                 "the rehearsal is not recorded: schema shardway is not installed on the source",
                 "shardway manifest apply, then rehearse again"}
        .at_node(done.error().node());
  return done.error().while_doing("recording a rehearsal");
}

result<> require_rehearsal(session& catalog, std::string_view group, std::string_view tables_sha256,
                           std::chrono::seconds age_max) {
  BOOST_OUTCOME_TRY(auto const found, catalog.query({std::string(newest_sql), {std::string(group)}}));
  if (found.empty()) return missing(group, "was never rehearsed");
  if (!found.boolean(0, 0))
    return missing(group, absl::StrCat("did not pass its newest rehearsal: ", std::string(found.text(0, 3))));
  if (found.text(0, 1) != tables_sha256)
    return missing(group, "was rehearsed with other tables or columns than the generation has");
  BOOST_OUTCOME_TRY(auto const age, found.integer(0, 2));
  if (age > age_max.count())
    return missing(group, absl::StrCat("was rehearsed ", age, " s ago; ", age_max.count(), " s are allowed"));
  return success();
}

}  // namespace v0
}  // namespace shardway
