#include <algorithm>

#include <absl/strings/str_cat.h>

#include "lib/migrate/preflight/read_facts.hpp"
#include "lib/migrate/preflight/rules.hpp"
#include "shardway/base/clock.hpp"

namespace shardway {
inline namespace v0 {
namespace migrate::preflight {
namespace {

using std::chrono::milliseconds;

row_answer unknown(std::string why) { return {row_answer::kind_type::unknown, std::move(why)}; }

row_answer answer_of(result<rows> const& found, milliseconds limit) {
  if (found)
    return {found.value().empty() ? row_answer::kind_type::same : row_answer::kind_type::different, {}};
  if (found.error().sqlstate() == "57014")
    return unknown(absl::StrCat("the query did not end within ", limit.count(), " ms"));
  return unknown(found.error().to_string());
}

row_answer ask_rows(session& source, std::string query, milliseconds limit) {
  statement const statements[]{{"BEGIN READ ONLY"},
                               {absl::StrCat("SET LOCAL statement_timeout = ", limit.count())},
                               {std::move(query)},
                               {"ROLLBACK"}};
  auto const answers = source.flush(statements);
  if (!answers) return unknown(answers.error().to_string());
  for (std::size_t i = 0; i < 2; ++i)
    if (!answers.value()[i]) return unknown(answers.value()[i].error().to_string());
  return answer_of(answers.value()[2], limit);
}

}  // namespace

void read_rows(session& source, std::vector<table_manifest> const& tables, row_budget const& budget,
               std::vector<table_manifest> const& selected, source_facts& facts) {
  auto const& clock = system_clock_source();
  auto const end = clock.now() + budget.all;
  for (auto const& key : facts.foreign_keys) {
    bool const is_selected = std::any_of(selected.begin(), selected.end(),
                                         [&](auto const& table) { return table.table == key.referencing; });
    if (!is_selected || !needs_rows(key, tables)) continue;
    auto const rest = std::chrono::duration_cast<milliseconds>(end - clock.now());
    auto const limit = std::min(budget.each, rest);
    facts.rows[rows_name(key)] = limit <= milliseconds{0} ? unknown("no time was left for it")
                                                          : ask_rows(source, rows_query(key, tables), limit);
  }
}

}  // namespace migrate::preflight
}  // namespace v0
}  // namespace shardway
