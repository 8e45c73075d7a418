#include "lib/client/session/parse_scatter.hpp"

#include <absl/strings/str_cat.h>

#include "lib/read/merge.hpp"

namespace shardway {
inline namespace v0 {
namespace {

using std::chrono::milliseconds;

}  // namespace

result<scatter_statement> parse_scatter(std::string_view sql, scatter_options const& options) {
  auto const bad = [](char const* what) {
    return error{error_code::invalid_argument, std::string("a read of several nodes: ") + what};
  };
  auto const& read = options.read;
  if (read.deadline <= milliseconds{0} || read.wait_budget < milliseconds{0} ||
      read.staleness_max < milliseconds{0})
    return bad("deadline must be above 0, wait_budget and staleness_max not below 0");
  if (options.budget < milliseconds{0}) return bad("budget may not be below 0");
  if (options.rows_max == 0 || options.bytes_max == 0) return bad("rows_max and bytes_max must be above 0");
  BOOST_OUTCOME_TRYV(check_terms(options.merge, options.rows_max));
  auto scatter = lex_scatter(
      sql, options.subqueries_by_shard_key ? subquery_scope::one_shard_key : subquery_scope::any_rows);
  if (!scatter.why.empty())
    return error{error_code::statement_refused, "a read of several nodes: " + scatter.why};
  return scatter;
}

}  // namespace v0
}  // namespace shardway
